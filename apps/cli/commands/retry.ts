import type { Command } from 'commander';
import { WrongUsage } from '../client.js';
import { askOf } from './ask.js';

/** `sluice retry`: quarantined files go back to work. */
export function registerRetry(program: Command): void {
  program
    .command('retry')
    .description('send quarantined files back to work, with all their attempts')
    .argument('[names...]', 'only these; names that are not quarantined count nothing')
    .option('--session <key>', 'only files of this session, <date>/<encoded session>')
    .option('--all', 'every quarantined file')
    .action(
      async (
        names: string[],
        options: { session?: string; all?: boolean },
        command: Command,
      ): Promise<void> => {
        const some = names.length > 0 || options.session !== undefined;
        if (!some && !options.all) throw new WrongUsage('say which: names, --session, or --all');
        if (some && options.all) throw new WrongUsage('--all means every one; leave it out, or the rest');
        const { client, print } = askOf(command);
        const answer = await client.post<{ retried: number }>('v1/files/retry', {
          session: options.session,
          filenames: names.length > 0 ? names : undefined,
        });
        const { retried } = answer;
        print(answer, () => [`${retried} ${retried === 1 ? 'file goes' : 'files go'} back to work.`]);
      },
    );
}
