import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { pieceOf, seen, Stop, test, until, World } from '../../support/index.js';

const MIB = 1024 * 1024;

test('a file that still grows is not taken, and says why', async (t) => {
  // longer than the pauses between two pieces, also on a busy machine
  const world = await World.make(t, { env: { APP_MIN_FILE_AGE_S: '5' } });
  const session = await world.startSession('growing');
  const path = join(world.incoming, 'growing.bin');
  const md5 = createHash('md5');
  let pieces = 0;
  // it grows for as long as nobody has seen it settle
  await until('it is seen settling, and its size changing', async () => {
    const piece = pieceOf(7, pieces++, 100_000);
    md5.update(piece);
    appendFileSync(path, piece);
    const { body, text } = await world.api('/v1/files/growing.bin');
    if (!existsSync(path)) throw new Stop('it was taken while it grew');
    if (pieces >= 12 && body.state === 'settling' && /^settling: size changed/.test(body.why)) return true;
    throw new Error(text);
  });
  await world.done(1);
  assert.deepEqual(await world.blobs(), new Map([[`${session}/growing.bin`, md5.digest('hex')]]));
  seen(t, {
    fault: 'a file still grows in the drop folder',
    injected: 'appended to in pieces',
    promised: 'it is not taken, and says that its size changes',
    files: 1,
  });
});

test('a file appended to after its claim settles and is sent whole', async (t) => {
  const world = await World.make(t, { proxy: true, env: { APP_AZURE_MAX_CONCURRENCY: '1' } });
  const proxy = world.proxy!;
  const session = await world.startSession('appended');
  proxy.rules = [{ match: () => proxy.uploadedBytes > 5 * MIB, fault: { kind: 'hold' } }];
  world.drop('log.bin', 30 * MIB, 5);
  const claimed = join(world.processing, session, 'log.bin');
  await until('it is under way', () => proxy.holding > 0);
  const file = openSync(claimed, 'a');
  writeSync(file, 'one more line\n');
  closeSync(file);
  proxy.release();
  const md5 = createHash('md5');
  for (let i = 0; i < 30; i++) md5.update(pieceOf(5, i));
  md5.update('one more line\n');
  const wanted = md5.digest('hex');
  await world.done(1);
  assert.deepEqual(await world.blobs(), new Map([[`${session}/log.bin`, wanted]]));
  assert.equal((await world.status()).processed_ok, 1);
  seen(t, {
    fault: 'a claimed file is appended to',
    injected: 'an open handle of its producer, in mid-upload',
    promised: 'it settles, and is sent whole',
    files: 1,
  });
});

test('times in the future do not keep a file for ever', async (t) => {
  const world = await World.make(t);
  await world.startSession('skewed');
  world.drop('tomorrow.bin', 100);
  const tomorrow = Date.now() / 1000 + 86_400;
  utimesSync(join(world.incoming, 'tomorrow.bin'), tomorrow, tomorrow);
  await world.done(1);
  seen(t, {
    fault: 'a time in the future',
    injected: 'an mtime of tomorrow',
    promised: 'the file is taken once it rests',
    files: 1,
  });
});

test('the same name, dropped again while the first is under way, is held and then overwrites the blob', async (t) => {
  const world = await World.make(t, { proxy: true, env: { APP_AZURE_MAX_CONCURRENCY: '1' } });
  const proxy = world.proxy!;
  const session = await world.startSession('twice');
  proxy.bytesPerSecond = 5 * MIB;
  world.drop('same.bin', 20 * MIB, 1);
  await until('the first is under way', () => proxy.uploadedBytes > MIB);
  const second = world.drop('same.bin', 21 * MIB, 2);
  await until('the second is held', async () => (await world.status()).incoming.held === 1);
  const { body } = await world.api('/v1/files/same.bin');
  assert.equal(body.state, 'held');
  assert.match(body.why, /under way/);
  assert.equal(body.others[0].state, 'active');
  proxy.bytesPerSecond = 0;
  await world.done(2);
  assert.deepEqual(await world.blobs(), new Map([[`${session}/same.bin`, second]]));
  const third = world.drop('same.bin', 22, 3);
  await world.done(3);
  assert.deepEqual(await world.blobs(), new Map([[`${session}/same.bin`, third]]));
  assert.deepEqual(readdirSync(world.incoming), []);
  seen(t, {
    fault: 'a name is dropped again while the first is under way',
    injected: 'a second and a third file of the name',
    promised: 'each waits for the one before, and the last one stands in the store',
    files: 3,
  });
});

test('content that changes while its commit is under way is sent anew, also where its mtime is put back', async (t) => {
  const world = await World.make(t, { proxy: true });
  const proxy = world.proxy!;
  const session = await world.startSession('put back');
  proxy.rules = [
    {
      match: ({ method, url }) => method === 'PUT' && /comp=blocklist/.test(url ?? ''),
      fault: { kind: 'hold' },
    },
  ];
  world.drop('rewritten.bin', 9 * MIB, 6);
  await until('its commit is held', () => proxy.holding === 1);
  const claimed = join(world.processing, session, 'rewritten.bin');
  const { mtimeNs } = statSync(claimed, { bigint: true });
  const file = openSync(claimed, 'r+');
  const piece = pieceOf(99, 0, MIB);
  writeSync(file, piece, 0, MIB, 4 * MIB);
  closeSync(file);
  // futimes() of Node takes a number, which cannot hold nanoseconds
  const put = `@${mtimeNs / 1_000_000_000n}.${String(mtimeNs % 1_000_000_000n).padStart(9, '0')}`;
  execFileSync('touch', ['-m', '-d', put, claimed]);
  assert.equal(statSync(claimed, { bigint: true }).mtimeNs, mtimeNs);
  const wanted = createHash('md5').update(readFileSync(claimed)).digest('hex');
  proxy.release();
  await world.done(1);
  assert.deepEqual(await world.blobs(), new Map([[`${session}/rewritten.bin`, wanted]]));
  assert.equal((await world.status()).processed_ok, 1);
  seen(t, {
    fault: 'content changes while its commit is under way, and its mtime is put back',
    injected: 'a write into the claimed file, touch -d',
    promised: 'it is sent anew',
    files: 1,
  });
});

test('a file whose rights alone change while it is uploaded is moved once', async (t) => {
  const world = await World.make(t, { proxy: true });
  const proxy = world.proxy!;
  const session = await world.startSession('rights');
  proxy.rules = [
    { match: ({ method, url }) => method === 'PUT' && !/comp=/.test(url ?? ''), fault: { kind: 'hold' } },
  ];
  const md5 = world.drop('rights.bin', 100_000, 6);
  await until('its put is held', () => proxy.holding === 1);
  chmodSync(join(world.processing, session, 'rights.bin'), 0o600);
  proxy.release();
  await world.done(1);
  assert.deepEqual(await world.blobs(), new Map([[`${session}/rights.bin`, md5]]));
  const { processed_ok, processed_err } = await world.status();
  assert.deepEqual({ processed_ok, processed_err }, { processed_ok: 1, processed_err: 0 });
  seen(t, {
    fault: 'the rights of a claimed file change',
    injected: 'chmod while its upload is under way',
    promised: 'it is counted once',
    files: 1,
  });
});
