import { mkdirSync, rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { readMachine } from './machine.js';
import { endChildren } from './meter.js';
import { WORK } from './places.js';
import { writeReport } from './report.js';
import { keepResult } from './results.js';
import { large } from './rows/large.js';
import { memory } from './rows/memory.js';
import { nfsCalls } from './rows/nfs-calls.js';
import { profile } from './rows/profile.js';
import { queue } from './rows/queue.js';
import { records } from './rows/records.js';
import { scale } from './rows/scale.js';
import { scan } from './rows/scan.js';
import { search } from './rows/search.js';
import { counts, latency, sizes, small } from './rows/small.js';
import type { Subcommand } from './subcommand.js';
import { need } from './tools.js';

const SUBCOMMANDS: Readonly<Record<string, Subcommand>> = {
  large,
  small,
  latency,
  scan,
  queue,
  records,
  search,
  memory,
  scale,
  'nfs-calls': nfsCalls,
  sizes,
  counts,
  profile,
};
const USAGE = `usage: npm run bench -- SUBCOMMAND ... [--rounds N] [--small]

  ${Object.keys(SUBCOMMANDS).join(', ')}: measure, and keep the result in bench/results
  all      every one of them (nfs-calls where it can run), then report
  report   write docs/performance.md and its plots from bench/results

  --rounds N   turns of each contestant, at least 3 for a result that means something (default 3)
  --small      little work: shows that everything runs, and is not kept`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { rounds: { type: 'string', default: '3' }, small: { type: 'boolean', default: false } },
  });
  const names = positionals.flatMap((name) =>
    name === 'all' ? [...Object.keys(SUBCOMMANDS), 'report'] : [name],
  );
  const rounds = Number(values.rounds);
  if (names.length === 0 || names.some((name) => name !== 'report' && !SUBCOMMANDS[name]) || !(rounds >= 1)) {
    console.error(USAGE);
    return 2;
  }
  for (const name of names) {
    const subcommand = SUBCOMMANDS[name];
    if (!subcommand) {
      writeReport();
      continue;
    }
    need('rclone', 'cc', 'redis-server', 'curl');
    mkdirSync(WORK, { recursive: true });
    const machine = readMachine();
    const at = new Date().toISOString();
    console.log(
      `\n== ${name}: ${machine.cores} cores, load ${machine.load}, node ${machine.node}, ${machine.rclone}`,
    );
    const found = await subcommand({ rounds, small: values.small });
    for (const { work, measure, value, unit, sense, goal, stretch } of found.goals)
      console.log(
        `${work}: ${measure} ${value.toFixed(2)} ${unit} (goal ${sense} ${goal}${stretch === undefined ? '' : `, stretch ${stretch}`})`,
      );
    if (!values.small) keepResult({ name, at, machine, rounds, ...found });
  }
  return 0;
}

// whoever interrupts a run in a terminal interrupts its processes too
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));
process.on('exit', () => {
  endChildren();
  rmSync(WORK, { recursive: true, force: true });
});
main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.stack : error);
    process.exit(1);
  },
);
