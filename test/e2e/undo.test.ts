import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { Child, seen, test, until, World } from '../support/index.js';

const CLI = resolve(__dirname, '../../apps/cli/main.js');

test('a stored source is kept for a while and comes back under its name, never over another; nothing kept is scanned', async (t) => {
  const world = await World.make(t, { start: [], env: { APP_SCAN_DEPTH: '3' } });
  const done = join(world.volume, '.done');
  const kept = { APP_KEEP_DONE_S: '3600', APP_NFS_DONE_ROOT: done, APP_KEEP_DONE_FREE: '0' };
  await world.start('api');
  await world.start('scanner', kept);
  await world.start('uploader', kept);
  await Promise.all(world.apps.map((app) => app.ready()));
  // an uploader whose root is not the scanner's waits, and makes none
  const nowhere = join(world.volume, '.nowhere');
  const lost = await world.start('uploader', { ...kept, APP_NFS_DONE_ROOT: nowhere });
  const sentence = `waiting for the scanner to make ${nowhere} (APP_NFS_DONE_ROOT)`;
  await until('it says so', async () => {
    const readiness = await fetch(`http://127.0.0.1:${lost.port}/readyz`);
    const text = await readiness.text();
    if (!readiness.ok && text.includes(sentence)) return true;
    throw new Error(text);
  });
  assert.equal(existsSync(nowhere), false);
  await lost.stop();
  const key = await world.startSession('a night');
  const restore = (filename: string, session = key) => world.api('/v1/files/restore', { session, filename });

  const old = new Date('2020-02-03T04:05:06Z');
  const dropOld = (name: string, text: string) => {
    const beside = join(world.incoming, `.${name.replaceAll('/', '-')}`);
    writeFileSync(beside, text);
    utimesSync(beside, old, old);
    renameSync(beside, join(world.incoming, name));
  };
  mkdirSync(join(world.incoming, 'a/b'), { recursive: true });
  for (const name of ['one.bin', 'a/b/deep.bin', 'twice.bin']) dropOld(name, `first ${name}`);
  await world.done(3);
  await until('all three are kept', () => world.filesIn(done).length === 3);
  assert.deepEqual(
    world.filesIn(done),
    ['a/b/deep.bin', 'one.bin', 'twice.bin'].map((name) => `${key}/${name}`),
  );
  assert.equal(readFileSync(join(done, key, 'one.bin'), 'utf8'), 'first one.bin');
  assert.equal(statSync(join(done, key, 'one.bin')).mtimeMs, old.getTime());
  assert.deepEqual(world.filesIn(world.processing), []);

  // an older drop of the name is kept beside the newer one
  dropOld('twice.bin', 'second');
  await world.done(4);
  const twice = join(done, key, 'twice.bin');
  await until('the second is kept', () => readFileSync(twice, 'utf8') === 'second');
  const older = readdirSync(join(done, key)).find((name) => name.startsWith('.sluice-older-'));
  assert.match(older ?? '', /^\.sluice-older-[0-9a-f]{8}\.twice\.bin$/);
  assert.equal(readFileSync(join(done, key, older ?? ''), 'utf8'), 'first twice.bin');

  // back under its name, and never over another; the drop folder's own rules hold
  await world.api('/v1/watch/stop', {});
  const [folder, elsewhere] = [join(world.incoming, 'a'), join(world.folder, 'elsewhere')];
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(elsewhere);
  for (const [stands, why] of [
    [() => symlinkSync(elsewhere, folder), /a folder on the way to a\/b\/deep\.bin is a symlink/],
    [() => writeFileSync(folder, 'a file'), /or a file that has the name of its folder/],
  ] as const) {
    stands();
    const refused = await restore('a/b/deep.bin');
    assert.equal(refused.status, 409, refused.text);
    assert.match(refused.body.detail, why);
    rmSync(folder);
  }
  assert.deepEqual(readdirSync(elsewhere), []);
  assert.deepEqual((await restore('a/b/deep.bin')).body, { filename: 'a/b/deep.bin', restored: true });
  const home = join(world.incoming, 'a/b/deep.bin');
  assert.deepEqual(
    [readFileSync(home, 'utf8'), statSync(home).mtimeMs],
    ['first a/b/deep.bin', old.getTime()],
  );
  assert.equal((await restore('a/b/deep.bin')).status, 404);
  dropOld('one.bin', 'another');
  const taken = await restore('one.bin');
  assert.equal(taken.status, 409);
  assert.match(taken.body.detail, /one\.bin stands in the drop folder already/);
  assert.equal(readFileSync(join(world.incoming, 'one.bin'), 'utf8'), 'another');
  assert.equal(readFileSync(join(done, key, 'one.bin'), 'utf8'), 'first one.bin');
  for (const [filename, session, status] of [
    ['never.bin', key, 404],
    ['one.bin', '20200101/other', 404],
    ['../one.bin', key, 400],
    ['one.bin', 'nonsense', 400],
  ] as const)
    assert.equal((await restore(filename, session)).status, status, filename + session);

  const cli = new Child(process.execPath, [CLI, 'restore', key, 'twice.bin'], {
    PATH: process.env.PATH ?? '',
    SLUICE_URL: `http://127.0.0.1:${world.app('api').port}`,
  });
  assert.equal((await cli.ended).code, 0, cli.stderr);
  assert.match(cli.stdout, /^twice\.bin is back in the drop folder\.\n$/);
  const session = await world.startSession('again');
  await world.done(7);
  assert.deepEqual(
    [...(await world.blobs()).keys()].filter((name) => name.startsWith(`${session}/`)).sort(),
    ['a/b/deep.bin', 'one.bin', 'twice.bin'].map((name) => `${session}/${name}`),
  );

  // an uploader dies between the receipt and the rename: recovery brings the source back, and the next run keeps it
  const { processed_ok: before } = await world.status();
  mkdirSync(join(world.processing, session), { recursive: true });
  const dot = join(world.processing, session, '.sluice-removing-0123abcd.left.bin');
  writeFileSync(dot, 'left');
  await until('it is kept', () => existsSync(join(done, session, 'left.bin')));
  assert.equal((await world.status()).processed_ok, before + 1);

  // less room than is wanted: all go, the folders too
  await world.app('scanner').stop();
  const mine = join(done, 'mine');
  writeFileSync(mine, 'nobody else wrote this');
  await world.start('scanner', { ...kept, APP_KEEP_DONE_FREE: '8P' });
  await until('only what is not ours stands there', () => world.filesIn(done).join() === 'mine');
  await until('the folders are gone', () => !existsSync(join(done, key.slice(0, 8))));

  // their time is over
  await world.app('scanner').stop();
  const short = await world.start('scanner', { ...kept, APP_KEEP_DONE_S: '1' });
  await short.ready();
  world.drop('short.bin', 100);
  await world.done(9);
  await until('it is gone', () => world.filesIn(done).join() === 'mine');
  assert.match(short.stdout, /removed \d kept files/);
  seen(t, {
    fault:
      'an uploader dies between the receipt and the end of a source that is to be kept (`APP_KEEP_DONE_S`)',
    injected: 'the dot name that such a run leaves',
    promised: 'the source goes back, is uploaded anew and then kept; nothing is lost or renamed over',
    files: 9,
    kills: 1,
  });
});
