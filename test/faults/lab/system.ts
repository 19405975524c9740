/**
 * Runs inside the NFS lab: the scanner on one mount, the uploader on the other, the producer on the server's side.
 * One file, then a hang of the server, then stale handles; prints what it saw as JSON lines.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pause, type TestContext, until, World, writeFileOf } from '../../support/index.js';

const MIB = 1024 * 1024;
const { NFS_A = '', NFS_B = '', NFS_EXPORT = '' } = process.env;
/** This kernel is emulated, and a mount may not see for a minute what happened on the server. */
const SLOW_MS = 150_000;

const ends: (() => Promise<void>)[] = [];
const context = { after: (end: () => Promise<void>) => ends.push(end) } as unknown as TestContext;

async function main(): Promise<void> {
  const world = await World.make(context, {
    start: [],
    volume: NFS_A,
    env: { APP_BLOCK_MEMORY: '32Mi', APP_MIN_FILE_AGE_S: '1' },
  });
  const onB = {
    APP_NFS_INCOMING_DIR: join(NFS_B, 'incoming'),
    APP_NFS_PROCESSING_ROOT: join(NFS_B, '.processing'),
    APP_NFS_FAILED_ROOT: join(NFS_B, '.failed'),
  };
  mkdirSync(join(NFS_EXPORT, 'incoming'));
  await world.start('api', onB);
  await world.start('scanner');
  const uploader = await world.start('uploader', onB);
  await Promise.all(world.apps.map((app) => app.ready(SLOW_MS)));
  const session = await world.startSession('over nfs');
  const wanted = new Map<string, string>();
  let seed = 0;
  const drop = (name: string, size: number) =>
    wanted.set(`${session}/${name}`, writeFileOf(join(NFS_EXPORT, 'incoming', name), size, ++seed));

  for (const [name, size] of [
    ['empty', 0],
    ['small', 65_536],
    ['blocks', 12 * MIB],
  ] as const)
    drop(name, size);
  await world.done(3, SLOW_MS);
  assert.deepEqual(new Map([...(await world.blobs())].sort()), new Map([...wanted].sort()));
  report('one file after the other over NFS 4.1', { files: 3 });

  for (let i = 0; i < 6; i++) drop(`hang ${i}`, i % 2 ? 6 * MIB : 1000);
  await until(
    'they are seen',
    async () => (await world.status()).processed_ok > 3 || (await world.status()).queue.active > 0,
    SLOW_MS,
  );
  nfs('down');
  const began = Date.now();
  while (Date.now() - began < 15_000) {
    assert.equal((await world.api('/v1/status')).status, 200, 'the api answers while the server hangs');
    await pause(1_000);
  }
  assert.equal(await uploader.probe('/healthz'), 200, 'a hang below the limit restarts nobody');
  nfs('up');
  const upAt = Date.now();
  await world.done(9, SLOW_MS);
  assert.deepEqual(new Map([...(await world.blobs())].sort()), new Map([...wanted].sort()));
  report('a hang of the server of 15 s', { files: 6, seconds_to_go_on: (Date.now() - upAt) / 1000 });

  for (let i = 0; i < 4; i++) drop(`stale ${i}`, i % 2 ? 6 * MIB : 1000);
  nfs('stale');
  await until(
    'the api says that the volume fails',
    async () => (await world.status()).problems.some((sentence: string) => /volume/.test(sentence)),
    SLOW_MS,
  );
  nfs('up');
  const backAt = Date.now();
  await world.done(13, SLOW_MS);
  assert.deepEqual(new Map([...(await world.blobs())].sort()), new Map([...wanted].sort()));
  const status = await world.status();
  assert.equal(status.processed_ok, 13);
  assert.equal(status.processed_err, 0);
  assert.deepEqual(readdirSync(join(NFS_EXPORT, 'incoming')), []);
  report('stale handles', { files: 4, seconds_to_go_on: (Date.now() - backAt) / 1000, lost: 0 });
}

function nfs(what: 'up' | 'down' | 'stale'): void {
  execFileSync('nfs-lab', [what], { stdio: 'inherit' });
}

function report(fault: string, seen: object): void {
  console.log(JSON.stringify({ fault, ...seen }));
}

main()
  .catch((error: unknown) => {
    console.log(error instanceof Error ? error.stack : error);
    process.exitCode = 1;
  })
  .finally(async () => {
    // a process in a hung mount may not end: the lab ends with this script
    await Promise.race([Promise.all(ends.map((end) => end())), pause(10_000)]);
    process.exit();
  });
