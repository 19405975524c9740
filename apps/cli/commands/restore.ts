import { Argument, type Command } from 'commander';
import { escaped } from '../print.js';
import { askOf } from './ask.js';

/** `sluice restore <session> <file>`: a kept source goes back to the drop folder. */
export function registerRestore(program: Command): void {
  program
    .command('restore')
    .description('bring the kept source of a stored file back to the drop folder (APP_KEEP_DONE_S)')
    .addArgument(new Argument('<session>', '<date>/<encoded session>, such as 20260131/my%20session'))
    .argument('<file>', 'its name, with its path where it came from a sub-folder')
    .action(async (session: string, filename: string, _options: object, command: Command) => {
      const { client, print } = askOf(command);
      const answer = await client.post<object>('v1/files/restore', { session, filename });
      print(answer, () => [`${escaped(filename)} is back in the drop folder.`]);
    });
}
