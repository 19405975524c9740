import { Option, type Command } from 'commander';
import { FILE_STATES, formatBytes } from '@app/shared/domain';
import type { FileAnswer } from '../answers.js';
import { WrongUsage } from '../client.js';
import { fileOf } from '../names.js';
import { escaped, table } from '../print.js';
import { askOf, count } from './ask.js';

interface Options {
  readonly state?: string;
  readonly session?: string;
  readonly prefix?: string;
  readonly limit: number;
  readonly cursor?: string;
}

/** `sluice files [name]`: files, newest first, or where one name is and why. */
export function registerFiles(program: Command): void {
  program
    .command('files')
    .description('files, newest first; with a name: where it is, and why')
    .argument('[name]', 'a file name')
    .addOption(new Option('--state <state>', 'only files in this state').choices(FILE_STATES))
    .option('--session <key>', 'only files of this session, <date>/<encoded session>')
    .option('--prefix <text>', 'only files whose name begins so, by name')
    .option('--limit <n>', 'so many at most', count, 100)
    .option('--cursor <cursor>', 'go on where a page before ended')
    .action(async (name: string | undefined, options: Options, command: Command): Promise<void> => {
      const { client, print } = askOf(command);
      const { limit, ...query } = options;
      if (name === undefined) {
        const page = await client.list<FileAnswer>('v1/files', query, limit);
        return print(page, () => [
          ...table(['STATE', 'SIZE', 'ATTEMPTS', 'SESSION', 'NAME', 'WHY'], page.items.map(row)),
          ...(page.next_cursor === null ? [] : [`More with --cursor ${page.next_cursor}`]),
        ]);
      }
      if (query.state !== undefined || query.cursor !== undefined || query.prefix !== undefined)
        throw new WrongUsage('a name is shown whole; leave out --state, --prefix and --cursor');
      const file = await fileOf(client, name, query.session);
      print(file, () => [
        ...fileLines(file),
        ...file.others.flatMap((other) => ['', 'Before that:', ...fileLines(other)]),
      ]);
    });
}

function row(file: FileAnswer): (string | number)[] {
  return [
    file.state,
    sizeOf(file),
    file.attempts,
    sessionOf(file),
    escaped(file.filename),
    escaped(file.why),
  ];
}

function fileLines(file: FileAnswer): string[] {
  const done =
    file.progress && file.state === 'active'
      ? `, ${file.step ?? 'uploading'} ${file.progress.percent} %`
      : '';
  return [
    `Name      ${escaped(file.filename)}`,
    `Why       ${escaped(file.why)}`,
    ...(file.hint ? [`To do     ${escaped(file.hint)}`] : []),
    `Size      ${sizeOf(file)}${done}`,
    `Session   ${sessionOf(file)}`,
    `Attempts  ${file.attempts}`,
    ...(file.uploader ? [`Uploader  ${escaped(file.uploader)}`] : []),
    ...(file.url ? [`Blob      ${escaped(file.url)}`] : []),
    ...(file.md5 ? [`MD5       ${escaped(file.md5)}`] : []),
  ];
}

function sizeOf({ size }: FileAnswer): string {
  return size === null ? '-' : formatBytes(size);
}

function sessionOf({ session }: FileAnswer): string {
  return session === null ? '-' : escaped(`${session.date_prefix}/${session.encoded_session}`);
}
