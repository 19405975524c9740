import type { Command } from 'commander';
import { Refused, WrongUsage, type Client } from '../client.js';
import { fileOf } from '../names.js';
import { askOf } from './ask.js';

/** `sluice retry`: quarantined files go back to work. */
export function registerRetry(program: Command): void {
  program
    .command('retry')
    .description('send quarantined files back to work, with all their attempts')
    .argument('[names...]', 'only these; a name that is not quarantined counts nothing')
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
        const filenames = await Promise.all(names.map((name) => nameOf(client, name, options.session)));
        const answer = await client.post<{ retried: number }>('v1/files/retry', {
          session: options.session,
          filenames: names.length > 0 ? filenames : undefined,
        });
        const { retried } = answer;
        if (names.length > 0 && retried === 0)
          throw new Refused(
            `no such file is quarantined: ${names.join(', ')}; sluice files --state failed lists them`,
          );
        print(answer, () => [`${retried} ${retried === 1 ? 'file goes' : 'files go'} back to work.`]);
      },
    );
}

/** The name that a person means, who may have copied it from what is printed here. */
async function nameOf(client: Client, text: string, session: string | undefined): Promise<string> {
  // most names cannot be read in two ways
  if (!/[\\/]/.test(text)) return text;
  try {
    return (await fileOf(client, text, session)).filename;
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return text;
    throw error;
  }
}
