import type { Command } from 'commander';
import { escaped } from '../print.js';
import { askOf } from './ask.js';

interface Started {
  readonly date_prefix: string;
  readonly session_name: string;
  readonly encoded_session: string;
}

/** `sluice start [name]` and `sluice stop`: begin a session, or end it. */
export function registerStart(program: Command): void {
  program
    .command('start')
    .description('start a session, or switch to another')
    .argument('[name]', 'its name, kept as given; without one it gets a name of its own')
    .action(async (name: string | undefined, _options: object, command: Command) => {
      const { client, print } = askOf(command);
      const session = await client.post<Started>('v1/watch/start', { session_name: name });
      print(session, () => [
        `Session ${escaped(session.session_name)} is active; files go to ${session.date_prefix}/${session.encoded_session}/`,
      ]);
    });
  program
    .command('stop')
    .description('stop the active session; what is queued goes on')
    .action(async (_options: object, command: Command) => {
      const { client, print } = askOf(command);
      const answer = await client.post<{ enabled: false }>('v1/watch/stop', {});
      print(answer, () => ['No session is active now; what is queued goes on.']);
    });
}
