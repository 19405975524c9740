import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seen, test, type TestContext, until, World } from '../support/index.js';

const MIB = 1024 * 1024;

/** A disk of its own, of 64 MiB. */
function smallDisk(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', folder]);
  t.after(() => {
    execFileSync('umount', ['-l', folder]);
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

test('a staging disk of 64 MiB: files wait for room, cost no attempt, and one that is too large does not block the rest', async (t) => {
  const disk = smallDisk(t);
  const world = await World.make(t, { uploaders: 0 });
  await (await world.start('uploader', { APP_LOCAL_STAGING_ROOT: join(disk, 'staging') })).ready();
  const session = await world.startSession('small disk');
  const wanted = new Map<string, string>();
  const large = world.drop('a too large one', 80 * MIB);
  for (let i = 0; i < 6; i++) wanted.set(`${session}/file ${i}`, world.drop(`file ${i}`, 25 * MIB));
  await world.done(6, 90_000);
  assert.deepEqual(await world.blobs(), wanted);
  assert.ok(existsSync(join(world.incoming, 'a too large one')), 'it stays in the drop folder');
  await until('the problem is told', async () =>
    (await world.status()).problems.some((sentence: string) =>
      /a too large one.*80\.0 MiB.*holds/.test(sentence),
    ),
  );
  assert.equal((await world.status()).processed_err, 0);
  // whoever has room takes it within 30 s
  await (await world.start('uploader')).ready();
  await world.done(7, 60_000);
  wanted.set(`${session}/a too large one`, large);
  assert.deepEqual(await world.blobs(), wanted);
  seen(t, {
    fault: 'a staging disk of 64 MiB',
    injected: 'tmpfs',
    promised: 'files wait for room; one too large does not block the rest',
    files: 7,
  });
});

test('somebody else fills the staging disk: files wait, and go on when there is room', async (t) => {
  const disk = smallDisk(t);
  mkdirSync(join(disk, 'staging'));
  const world = await World.make(t, { uploaders: 0, env: { APP_MAX_ATTEMPTS: '2' } });
  await (await world.start('uploader', { APP_LOCAL_STAGING_ROOT: join(disk, 'staging') })).ready();
  writeFileSync(join(disk, 'ballast'), Buffer.alloc(60 * MIB));
  const session = await world.startSession('full disk');
  const md5 = world.drop('waits', 20 * MIB);
  await until('the problem is told', async () =>
    (await world.status()).problems.some((sentence: string) => /waits.*staging/.test(sentence)),
  );
  rmSync(join(disk, 'ballast'));
  await world.done(1, 60_000);
  assert.deepEqual(await world.blobs(), new Map([[`${session}/waits`, md5]]));
  assert.equal((await world.status()).processed_err, 0);
});
