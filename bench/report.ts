import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT } from './places.js';
import { draw, type Plot } from './plot.js';
import {
  median,
  quantile,
  ratios,
  readResults,
  type Goal,
  type Result,
  type Table,
  type Turn,
} from './results.js';

const DOCS = join(PROJECT, 'docs');
const [BEGIN, END] = ['<!-- measured: begin -->', '<!-- measured: end -->'];

/** Writes the measured part of docs/performance.md and its plots from what bench/results holds. */
export function writeReport(): void {
  const results = readResults();
  if (results.size === 0) throw new Error('bench/results is empty; measure something first');
  mkdirSync(DOCS, { recursive: true });
  const plots = plotsOf(results);
  for (const [name, plot] of plots) writeFileSync(join(DOCS, name), draw(plot));
  const page = join(DOCS, 'performance.md');
  const before = existsSync(page) ? readFileSync(page, 'utf8') : `# Performance\n\n${BEGIN}\n${END}\n`;
  const [head, tail] = [before.split(BEGIN)[0] ?? '', before.split(END)[1] ?? ''];
  const pictures = [...plots].map(([name, { title }]) => `![${title}](${name})`);
  const body = [machineOf(results), goalsOf(results), ...pictures, ...[...results.values()].map(detailsOf)];
  writeFileSync(page, `${head}${BEGIN}\n\n${body.filter(Boolean).join('\n\n')}\n\n${END}${tail}`);
}

function machineOf(results: ReadonlyMap<string, Result>): string {
  const all = [...results.values()];
  const { machine } = all[0] ?? { machine: null };
  if (!machine) return '';
  const days = [...new Set(all.map(({ at }) => at.slice(0, 10)))].sort();
  return [
    `Measured ${days.join(', ')} on ${machine.cores} cores (${machine.processor}), ${machine.memoryGiB} GiB, Linux ${machine.kernel}, ${machine.filesystem};`,
    `Node ${machine.node}, Redis ${machine.redis}, ${machine.rclone}.`,
    `Load average when the runs began: ${all.map(({ name, machine: { load } }) => `${name} ${load}`).join(', ')}.`,
  ].join('\n');
}

function goalsOf(results: ReadonlyMap<string, Result>): string {
  const rows = [...results.values()].flatMap(({ goals }) => goals).map(goalRow);
  return [
    '| work | measure | measured | goal | stretch | |',
    '| --- | --- | ---: | ---: | ---: | --- |',
    ...rows,
  ].join('\n');
}

function goalRow({ work, measure, value, unit, sense, goal, stretch }: Goal): string {
  const number = (n: number) => `${Number.isInteger(n) ? n : n.toFixed(2)}${unit ? ` ${unit}` : ''}`;
  const sign = sense === 'at most' ? '<=' : '>=';
  const meets = (wanted: number) => (sense === 'at most' ? value <= wanted : value >= wanted);
  const verdict =
    stretch !== undefined && meets(stretch) ? 'stretch reached' : meets(goal) ? 'reached' : '**missed**';
  return `| ${work} | ${measure} | ${value.toFixed(2)}${unit ? ` ${unit}` : ''} | ${sign} ${number(goal)} | ${stretch === undefined ? '' : `${sign} ${number(stretch)}`} | ${verdict} |`;
}

function detailsOf({ name, rounds, tables, notes }: Result): string {
  const parts = [
    `### ${name}`,
    ...tables.map((table) => tableOf(table, rounds)),
    notes.map((note) => `- ${note}`).join('\n'),
  ];
  return parts.filter(Boolean).join('\n\n');
}

function tableOf(table: Table, rounds: number): string {
  const rows = table.series.map(({ name, settings, turns }) => {
    const middle = (of: (turn: Turn) => number) => median(turns.map(of));
    const compared = (of: 'wallS' | 'cpuS') => {
      const all = ratios(table, name, of);
      return `${median(all).toFixed(2)} (${Math.min(...all).toFixed(2)} to ${Math.max(...all).toFixed(2)})`;
    };
    const redis = middle(({ redisCpuS }) => redisCpuS ?? NaN);
    const status = turns.flatMap(({ statusMs }) => statusMs ?? []);
    return [
      `${name}; ${settings}`,
      middle((turn) => turn.wallS).toFixed(2),
      compared('wallS'),
      middle((turn) => turn.cpuS).toFixed(2),
      compared('cpuS'),
      middle((turn) => turn.peakMiB).toFixed(0),
      Number.isNaN(redis)
        ? ''
        : `${redis.toFixed(2)} s, ${(middle((turn) => turn.redisCommands ?? NaN) / table.files).toFixed(1)}`,
      status.length > 0 ? quantile(status, 0.99).toFixed(1) : '',
    ].join(' | ');
  });
  return [
    `${table.title}, medians of ${rounds} rounds:`,
    '',
    '| | wall s | against the first | CPU s | against the first | peak MiB | Redis CPU, commands a file | status p99 ms |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...rows.map((row) => `| ${row} |`),
  ].join('\n');
}

function plotsOf(results: ReadonlyMap<string, Result>): Map<string, Plot> {
  const plots = new Map<string, Plot>();
  const mibS = (table: Table, turn: Turn) => (table.files * table.fileBytes) / 2 ** 20 / turn.wallS;
  const linesOver = (
    tables: readonly Table[],
    x: (table: Table) => number,
    y: (table: Table, turn: Turn) => number,
  ) =>
    (tables[0]?.series ?? []).map(({ name }) => ({
      name,
      points: tables.map((table) => {
        const turns = table.series.find((series) => series.name === name)?.turns ?? [];
        return [x(table), median(turns.map((turn) => y(table, turn)))] as const;
      }),
    }));
  const sizes = results.get('sizes')?.tables ?? [];
  if (sizes.length > 0)
    plots.set('performance-file-size.svg', {
      title: 'Throughput against file size',
      ...{
        x: 'bytes of a file',
        y: 'MiB/s',
        lines: linesOver(sizes, (table) => table.fileBytes, mibS),
        label: bytes,
      },
    });
  const counts = results.get('counts')?.tables ?? [];
  if (counts.length > 0)
    plots.set('performance-file-count.svg', {
      title: 'Processor time of a 4 KiB file against the number of files',
      lines: linesOver(
        counts,
        (table) => table.files,
        (table, turn) => (1000 * turn.cpuS) / table.files,
      ),
      ...{ x: 'files', y: 'CPU ms a file', label: String },
    });
  const scale = results.get('scale')?.tables[0];
  if (scale)
    plots.set('performance-uploaders.svg', {
      title: 'Throughput against uploaders, 100 MB/s a connection',
      lines: [
        {
          name: 'Sluice',
          points: scale.series.map(
            ({ name, turns }) =>
              [parseInt(name, 10), median(turns.map((turn) => mibS(scale, turn)))] as const,
          ),
        },
      ],
      ...{ x: 'uploaders', y: 'MiB/s', label: String },
    });
  return plots;
}

function bytes(count: number): string {
  return count >= 2 ** 20 ? `${count / 2 ** 20} MiB` : `${count / 1024} KiB`;
}
