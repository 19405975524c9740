import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VolumeError } from '@app/shared/domain';
import { Volume } from '@app/shared/files';
import { Child, seen, test, type TestContext, until, World, writeFileOf } from '../support/index.js';

const MIB = 1024 * 1024;

/** A folder behind a FUSE mount that can be stopped, killed and unmounted. */
async function fuse(t: TestContext) {
  const base = mkdtempSync(join(tmpdir(), 'sluice-fuse-'));
  const [below, mounted] = [join(base, 'below'), join(base, 'mounted')];
  for (const folder of [below, mounted]) mkdirSync(folder);
  const mount = async (): Promise<Child> => {
    const child = new Child('bindfs', ['-f', '-o', 'attr_timeout=0,entry_timeout=0', below, mounted], {
      PATH: process.env.PATH ?? '',
    });
    await until('it is mounted', () =>
      execFileSync('stat', ['-f', '-c', '%T', mounted], { encoding: 'utf8' }).includes('fuse'),
    );
    return child;
  };
  let daemon = await mount();
  const unmount = () => execFileSync('umount', ['-l', mounted]);
  t.after(async () => {
    daemon.thaw();
    await daemon.kill();
    try {
      unmount();
    } catch {
      // the test has done so
    }
    rmSync(base, { recursive: true, force: true });
  });
  return {
    below,
    mounted,
    freeze: () => daemon.freeze(),
    thaw: () => daemon.thaw(),
    kill: () => daemon.kill(),
    unmount,
    mount: async () => void (daemon = await mount()),
  };
}

test('the shared volume hangs: the api answers, staged files go up, scanner and uploader turn unhealthy, all goes on', async (t) => {
  const volume = await fuse(t);
  const world = await World.make(t, {
    volume: volume.mounted,
    proxy: true,
    env: { APP_NFS_HANG_LIMIT_S: '3', APP_AZURE_MAX_CONCURRENCY: '1', APP_WORKER_CONCURRENCY: '2' },
  });
  const proxy = world.proxy!;
  const session = await world.startSession('hang');
  proxy.bytesPerSecond = 10 * MIB;
  const wanted = new Map([[`${session}/large`, world.drop('large', 40 * MIB)]]);
  await until('it is staged and under way', () => proxy.uploadedBytes > 5 * MIB);
  volume.freeze();
  const sent = proxy.uploadedBytes;
  await until('what was staged goes on', () => proxy.uploadedBytes >= 40 * MIB, 60_000);
  assert.ok(proxy.uploadedBytes > sent);
  assert.equal((await world.api('/v1/status')).status, 200);
  assert.equal(await world.app('api').probe('/readyz'), 200);
  assert.equal(await world.app('api').probe('/healthz'), 200);
  for (const role of ['scanner', 'uploader'] as const)
    await until(
      `${role} is unhealthy`,
      async () => (await world.app(role).probe('/healthz')) === 503,
      20_000,
    );
  volume.thaw();
  for (const role of ['scanner', 'uploader'] as const)
    await until(
      `${role} is healthy again`,
      async () => (await world.app(role).probe('/healthz')) === 200,
      60_000,
    );
  wanted.set(`${session}/after`, writeFileOf(join(volume.below, 'incoming', 'after'), 1000, 8));
  await world.done(2, 90_000);
  assert.deepEqual(await world.blobs(), wanted);
  assert.equal((await world.status()).processed_err, 0);
  seen(t, {
    fault: 'the shared volume hangs',
    injected: 'SIGSTOP of a FUSE mount',
    promised: 'the api answers, staged files go up, probes fail after the limit, all goes on',
    files: 2,
  });
});

test('calls that were asked for together fail together when one hangs, and none is begun past its deadline', async (t) => {
  const { below, mounted, freeze, thaw } = await fuse(t);
  const names = ['a', 'b', 'c'];
  for (const name of names) writeFileSync(join(below, name), name);
  const volume = new Volume({ threads: 1, deadlineMs: 2_000 });
  t.after(() => volume.stop());
  assert.ok(await volume.lookAnew(join(mounted, 'a')), 'the thread runs');
  freeze();
  const removals = names.map((name) => volume.unlink(join(mounted, name)));
  for (const removal of removals)
    await assert.rejects(removal, (error) => error instanceof VolumeError && error.code === 'ETIMEDOUT');
  thaw();
  await until('no call hangs', () => volume.hungSinceMs(Date.now()) === 0);
  // the one that hung was begun in time, and the kernel ended it
  await until('the first is removed', () => !existsSync(join(below, 'a')));
  for (const name of ['b', 'c']) assert.ok(existsSync(join(below, name)), name);
});

test('the volume vanishes: an unmounted folder is not taken for one without files, and all goes on when it is back', async (t) => {
  const volume = await fuse(t);
  const world = await World.make(t, { volume: volume.mounted });
  const session = await world.startSession('unmounted');
  const wanted = new Map([[`${session}/before`, world.drop('before', 1000)]]);
  await world.done(1);
  await volume.kill();
  await until('it is a problem', async () =>
    (await world.status()).problems.some((sentence: string) => /volume/.test(sentence)),
  );
  volume.unmount();
  await until(
    'the scanner says what is wrong',
    async () => (await world.status()).problems.some((sentence: string) => /not mounted/.test(sentence)),
    60_000,
  );
  wanted.set(`${session}/meanwhile`, writeFileOf(join(volume.below, 'incoming', 'meanwhile'), 5 * MIB, 9));
  await volume.mount();
  await world.done(2, 90_000);
  assert.deepEqual(await world.blobs(), wanted);
  await until('no problem is left', async () => (await world.status()).problems.length === 0, 60_000);
  seen(t, {
    fault: 'the shared volume vanishes',
    injected: 'SIGKILL and unmount of a FUSE mount',
    promised: 'an empty folder is not taken for no files; goes on when it is back',
    files: 2,
  });
});
