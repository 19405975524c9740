import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { callsSoFar } from './nfs-mount.js';
import { countTree } from './nfs-tree.js';
import { rcloneEnv, rcloneMove } from './peers.js';
import { WORK } from './places.js';
import { Stack } from './stack.js';
import { Stock } from './stock.js';
import { Sink } from './tools.js';

/** Calls a file by their kind, a record a round. */
export interface NfsCount {
  readonly kib: number;
  readonly files: number;
  readonly ours: readonly Readonly<Record<string, number>>[];
  readonly rclone: readonly Readonly<Record<string, number>>[];
}

/** Inside test/nfs-lab.sh: counts the calls that moving files from the mount NFS_A makes, and prints them as JSON. */
async function main(): Promise<void> {
  const [rounds, full] = [Number(process.argv[2]), process.argv[3] === 'full'];
  const [mount, server] = [process.env.NFS_A ?? '', process.env.NFS_EXPORT ?? ''];
  mkdirSync(WORK, { recursive: true });
  const sink = await Sink.start();
  const counts: NfsCount[] = [];
  for (const [kib, files] of [
    [64, full ? 200 : 20],
    [64 * 1024, full ? 8 : 2],
  ] as const) {
    // written behind the client's back, as by another pod, so that nothing of it lies in the client's caches
    const stock = new Stock(files, kib * 1024, false, server);
    const [ours, rclone]: Record<string, number>[][] = [[], []];
    const stack = await Stack.start({ sink, volume: join(mount, 'volume'), ownWay: join(server, 'volume') });
    for (let round = 0; round < rounds; round++) {
      const name = `peer-${kib}-${round}`;
      stock.drop(join(server, name), name);
      rclone?.push(
        await counted(mount, files, () => {
          execFileSync('bash', ['-c', rcloneMove(join(mount, name), name, 4)], {
            env: { ...process.env, ...rcloneEnv(sink) },
          });
        }),
      );
      const session = await stack.prepare(stock);
      ours?.push(await counted(mount, files, () => stack.measure(session, stock)));
    }
    await stack.end();
    stock.end();
    rmSync(join(server, 'volume'), { recursive: true, force: true });
    counts.push({ kib, files, ours: ours ?? [], rclone: rclone ?? [] });
  }
  const tree = await countTree(sink, mount, server, full ? 10_000 : 500);
  await sink.end();
  console.log(`TREE ${JSON.stringify(tree)}`);
  console.log(`RESULT ${JSON.stringify(counts)}`);
}

async function counted(mount: string, files: number, work: () => unknown): Promise<Record<string, number>> {
  const before = callsSoFar(mount);
  await work();
  const after = callsSoFar(mount);
  return Object.fromEntries(
    [...after].map(([call, times]) => [call, (times - (before.get(call) ?? 0)) / files]),
  );
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error instanceof Error ? error.stack : error);
    process.exit(1);
  },
);
