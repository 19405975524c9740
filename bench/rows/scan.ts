import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pause, until } from '../../test/support/index.js';
import { cpuSeconds } from '../meter.js';
import { WORK } from '../places.js';
import { median } from '../results.js';
import { Stack } from '../stack.js';
import type { Run, Subcommand } from '../subcommand.js';
import { Sink } from '../tools.js';

/** Jobs in the queue; the default. */
const SLOTS = 2000;
const SCANS = 'sluice_scan_duration_seconds_count';
const EXAMINED = 'sluice_scan_examined_files_total';
/** One bare listing in a process of its own; prints its milliseconds of processor time, the best of five. */
const READDIR = `
const { readdir } = require('node:fs/promises');
(async () => {
  let best = Infinity;
  for (let i = 0; i < 5; i++) {
    const before = process.cpuUsage();
    await readdir(process.argv[1]);
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / 1000);
  }
  console.log(best);
})();`;

/** A scan of many waiting files while the queue is full, beside one bare listing of the same folder. */
export const scan: Subcommand = async ({ rounds, small }: Run) => {
  const files = small ? 20_000 : 300_000;
  const volume = join(WORK, 'scan-volume');
  rmSync(volume, { recursive: true, force: true });
  const incoming = join(volume, 'incoming');
  mkdirSync(incoming, { recursive: true });
  for (let i = 0; i < files; i++)
    writeFileSync(join(incoming, `waiting-${String(i).padStart(7, '0')}.bin`), '');
  const sink = await Sink.start();
  const stack = await Stack.start({ sink, volume, uploaders: 0 });
  const scanner = stack.app('scanner');
  const metric = (name: string) => stack.metric(scanner, name);
  try {
    await pause(5500);
    await stack.api('/v1/watch/start', { session_name: 'scan' });
    let [most, examined] = [0, await metric(EXAMINED)];
    await until(
      'the queue is full',
      async () => {
        const now = await metric(EXAMINED);
        [most, examined] = [Math.max(most, now - examined), now];
        return (await metric('sluice_scan_enqueued_files_total')) >= SLOTS;
      },
      120_000,
    );
    await nextScan(metric);

    const [ours, bare, held]: number[][] = [[], [], []];
    for (let round = 0; round < rounds; round++) {
      bare?.push(Number(execFileSync(process.execPath, ['-e', READDIR, incoming], { encoding: 'utf8' })));
      const [scans, cpu] = [await nextScan(metric), cpuSeconds(scanner.pid)];
      await pause(11_000);
      // the metric begins anew with each time it is asked for
      held?.push(1000 * (await metric('nodejs_eventloop_lag_max_seconds')));
      const [more, spent] = [await nextScan(metric), cpuSeconds(scanner.pid) - cpu];
      ours?.push((1000 * spent) / (more - scans));
      console.log(
        `round ${round + 1}: ${ours?.at(-1)?.toFixed(0)} ms CPU a scan, readdir ${bare?.at(-1)?.toFixed(0)} ms, loop held ${held?.at(-1)?.toFixed(0)} ms`,
      );
    }
    const work = `a scan of ${files} waiting files, queue full`;
    const value = median((ours ?? []).map((ms, i) => ms / (bare?.[i] ?? NaN)));
    return {
      tables: [],
      goals: [
        {
          work,
          measure: 'CPU against one bare readdir',
          value,
          unit: 'x',
          sense: 'at most',
          goal: 3,
          stretch: 1.5,
        },
        {
          work: `one scan that fills a queue of ${SLOTS}`,
          measure: 'stats a queue slot',
          value: most / SLOTS,
          unit: '',
          sense: 'at most',
          goal: 2,
        },
        {
          work,
          measure: 'event loop held',
          value: Math.max(...(held ?? [])),
          unit: 'ms',
          sense: 'at most',
          goal: 50,
        },
      ],
      notes: [
        `A scan used ${median(ours ?? []).toFixed(0)} ms of processor time, everything else that the scanner does meanwhile included; one readdir ${median(bare ?? []).toFixed(0)} ms (the best of five in a process of its own).`,
        'Each file is opened once more right before it is enqueued, which is not among those stats.',
      ],
    };
  } finally {
    await stack.end();
    await sink.end();
    rmSync(volume, { recursive: true, force: true });
  }
};

/** Waits for the end of a scan. @returns how many have ended */
async function nextScan(metric: (name: string) => Promise<number>): Promise<number> {
  const before = await metric(SCANS);
  return until(
    'the next scan',
    async () => ((await metric(SCANS)) > before ? await metric(SCANS) : 0),
    60_000,
  );
}
