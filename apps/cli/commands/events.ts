import type { Command } from 'commander';
import type { Status } from '../answers.js';
import { endOnSignal, follow } from '../follow.js';
import { sessionOf } from '../names.js';
import { escaped } from '../print.js';
import { LineView } from '../views.js';
import { askOf } from './ask.js';
import { jsonView } from './watch.js';

/** `sluice events`: what happens, a line each, until Ctrl-C. */
export function registerEvents(program: Command): void {
  program
    .command('events')
    .description('what happens, a line each, until Ctrl-C; with --json as the api tells it')
    .option('--session <session>', 'only of this session: <date>/<encoded session>, or its name')
    .action(async (options: { session?: string }, command: Command) => {
      const { client, json } = askOf(command);
      const end = endOnSignal();
      // a wrong address, token or name is told at once
      const wanted = options.session === undefined ? null : await sessionOf(client, options.session);
      if (wanted === null) await client.get<Status>('v1/status');
      const key = wanted && `${wanted.date_prefix}/${wanted.encoded_session}`;
      const view = json ? jsonView : new LineView();
      await follow(
        client,
        {
          take: (event) => {
            if (key === null || event.session === key || event.type === 'reset') view.take(event, null);
          },
          lost: (why) => {
            if (json && why !== null) process.stderr.write(`sluice: ${escaped(why)}\n`);
            else view.show({ lost: why });
          },
        },
        end,
      );
    });
}
