import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { writeFileOf } from '../../test/support/bytes.js';
import { until } from '../../test/support/until.js';
import { inUnits } from './show.js';
import type { LocalSystem } from './system.js';

const MIB = 1024 * 1024;
const FILES = [
  ['empty.bin', 0],
  ['ten bytes.txt', 10],
  ['one block.bin', MIB],
  ['several blocks.bin', 37 * MIB],
  ['large.bin', 256 * MIB],
] as const;
const LIMIT_MS = 240_000;

/**
 * Moves a few files through the system and compares what the store holds with what was dropped.
 *
 * @param prefix the session's folder in the store, `<date>/<encoded session>`
 * @returns whether every byte arrived
 */
export async function demo(system: LocalSystem, prefix: string): Promise<boolean> {
  const dropped = FILES.map(([name, size], index) => {
    const md5 = writeFileOf(join(system.incoming, name), size, index + 1);
    return { name, size, md5, at: Date.now() };
  });
  const end = Date.now() + LIMIT_MS;
  const rows: string[][] = [];
  let whole = true;
  for (const { name, size, md5, at } of dropped) {
    const file = await until(
      `${name} is in the store`,
      async () => {
        if (system.fallen) return { state: `${system.fallen.name} ended`, finished_at: null };
        const found = await system.ask<{ state: string; why: string; finished_at: string | null }>(
          `/v1/files/${encodeURIComponent(name)}`,
        );
        if (found.state === 'done' || found.state === 'failed') return found;
        throw new Error(`${found.state}: ${found.why}`);
      },
      Math.max(1, end - Date.now()),
    );
    const arrived = file.state === 'done' ? await md5Of(system, `${prefix}/${name}`) : file.state;
    whole &&= arrived === md5;
    const seconds = file.finished_at ? ((Date.parse(file.finished_at) - at) / 1000).toFixed(1) : '-';
    rows.push([name, inUnits(size), md5, `${seconds} s`, arrived === md5 ? 'same' : `DIFFERS: ${arrived}`]);
  }
  print([['name', 'size', 'MD5 of the source', 'time', 'in the store'], ...rows]);
  return whole;
}

/** MD5 of the bytes that the store gives back, in hex. */
async function md5Of(system: LocalSystem, blob: string): Promise<string> {
  const md5 = createHash('md5');
  const { readableStreamBody } = await system.container.getBlobClient(blob).download();
  for await (const chunk of readableStreamBody ?? []) md5.update(chunk);
  return md5.digest('hex');
}

function print(rows: string[][]): void {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of rows)
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
}
