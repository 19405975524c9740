import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pause, until } from '../test/support/index.js';
import { callsSoFar } from './nfs-mount.js';
import { Stack } from './stack.js';
import type { Sink } from './tools.js';

/** Scans that are counted together. */
const SCANS = 5;
/** Longest wait for a scan of the whole tree; milliseconds. */
const PATIENCE_MS = 600_000;

/** NFS calls of scans of a tree of folders, by kind. */
export interface TreeCount {
  readonly folders: number;
  /** A scan, while nothing changes. */
  readonly atRest: Readonly<Record<string, number>>;
  /** All scans together in which three changed folders were listed. */
  readonly threeChanged: Readonly<Record<string, number>>;
  /** How many scans those were. */
  readonly scans: number;
}

/** Counts what a scanner alone asks of a mount when it reads a tree in which nothing, or little, changes. */
export async function countTree(
  sink: Sink,
  mount: string,
  server: string,
  folders: number,
): Promise<TreeCount> {
  const incoming = join(server, 'tree/incoming');
  const folder = (i: number) => join(incoming, `d${i % 100}/e${i}`);
  // names that are never looked at, so that folders alone are counted
  for (let i = 0; i < folders; i++) {
    mkdirSync(folder(i), { recursive: true });
    for (const name of ['.a', '.b', '.c']) writeFileSync(join(folder(i), name), '');
  }
  const env = { APP_SCAN_DEPTH: '2', APP_RECOVERY_INTERVAL_S: '100000', APP_POLL_INTERVAL_S: '0.5' };
  const ownWay = join(server, 'tree');
  const stack = await Stack.start({ sink, volume: join(mount, 'tree'), ownWay, env, uploaders: 0 });
  try {
    const scans = () => stack.metric(stack.app('scanner'), 'sluice_scan_duration_seconds_count');
    const over = async (count: number) => {
      const before = await scans();
      const ask = async () => {
        const now = await scans();
        return now >= before + count ? now : 0;
      };
      return until('more scans', ask, PATIENCE_MS);
    };
    const settled = async () => {
      for (;;) {
        const before = listings(callsSoFar(mount));
        await over(3);
        if (listings(callsSoFar(mount)) === before) return;
      }
    };
    await settled();
    const [first, began] = [callsSoFar(mount), await scans()];
    const ended = await over(SCANS);
    const rest = callsSoFar(mount);
    for (const i of [1, 2, 3]) writeFileSync(join(folder(i), '.new'), '');
    const from = await scans();
    await pause(1_000);
    await settled();
    const last = callsSoFar(mount);
    return {
      folders,
      atRest: difference(first, rest, ended - began),
      threeChanged: difference(rest, last, 1),
      scans: (await scans()) - from,
    };
  } finally {
    await stack.end();
    rmSync(join(server, 'tree'), { recursive: true, force: true });
  }
}

function listings(calls: ReadonlyMap<string, number>): number {
  return calls.get('READDIR') ?? 0;
}

function difference(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  by: number,
): Record<string, number> {
  const all = [...after].map(([call, times]) => [call, (times - (before.get(call) ?? 0)) / by] as const);
  return Object.fromEntries(all.filter(([, times]) => times > 0));
}
