import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SEEN_FOLDER, type Seen } from '../test/support/seen.js';

const BEGIN = '<!-- seen: made by npm run docs:reliability -->';
const END = '<!-- seen ends -->';

/** Writes the table of docs/reliability.md from what the last runs of the fault tests saw. */
function main(): void {
  const rows = (existsSync(SEEN_FOLDER) ? readdirSync(SEEN_FOLDER) : []).map(
    (name) => JSON.parse(readFileSync(join(SEEN_FOLDER, name), 'utf8')) as Seen,
  );
  if (rows.length === 0) throw new Error('no run has seen anything yet: npm test, npm run test:faults');
  const lines = rows
    .sort((a, b) => a.fault.localeCompare(b.fault))
    .map(
      (row) =>
        `| ${[row.fault, row.injected, row.promised, row.files, row.kills ?? '', row.goesOnAfterS?.toFixed(1) ?? '', row.sentAgainPercent?.toFixed(1) ?? '', 0].join(' | ')} |`,
    );
  const table = [
    '| fault | injected by | promised | files | kills | goes on after, s | sent again, % | lost |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...lines,
  ].join('\n');
  const path = resolve(__dirname, '../../docs/reliability.md');
  const text = readFileSync(path, 'utf8');
  const [head] = text.split(BEGIN);
  const tail = text.split(END)[1] ?? '\n';
  writeFileSync(path, `${head}${BEGIN}\n\n${table}\n\n${END}${tail}`);
  console.log(`${rows.length} rows`);
}

main();
