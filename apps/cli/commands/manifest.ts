import { Argument, type Command } from 'commander';
import { csvOf } from '../csv.js';
import { sessionOf } from '../names.js';
import { jsonLine } from '../print.js';
import { askOf, pathOf } from './ask.js';

/** `sluice manifest <session>`: a line for each file that is done, and with `--all` for each that failed. */
export function registerManifest(program: Command): void {
  program
    .command('manifest')
    .description('a line for each file of a session that is done, as JSON; --csv for spreadsheets')
    .addArgument(
      new Argument('<session>', '<date>/<encoded session>, or its name: the newest one of that name'),
    )
    .option('--all', 'the failed files too, behind the others')
    .option('--csv', 'a table with a heading, for spreadsheets')
    .action(async (text: string, options: { all?: boolean; csv?: boolean }, command: Command) => {
      const { client } = askOf(command);
      const session = await sessionOf(client, text);
      const rows: Record<string, unknown>[] = [];
      for await (const line of client.lines(
        `${pathOf(session)}/manifest${options.all ? '?state=all' : ''}`,
      )) {
        const { missing } = line;
        if (typeof missing === 'number')
          process.stderr.write(
            `sluice: ${missing} done files have no line: the history limits took their records\n`,
          );
        if (options.csv) rows.push(...(typeof line.name === 'string' ? [line] : []));
        else process.stdout.write(`${jsonLine(line)}\n`);
      }
      if (options.csv) process.stdout.write(csvOf(rows));
    });
}
