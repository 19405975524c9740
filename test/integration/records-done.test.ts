import assert from 'node:assert/strict';
import { Redis } from 'ioredis';
import { jobStates } from '@app/shared/queue';
import { History, Moves, Sessions, Trim, type FileRecord } from '@app/shared/records';
import { test, type TestContext, TestRedis } from '../support/index.js';

const PREFIX = '{sluice}';
const BASE = 'https://account.blob.core.windows.net/ingest/20260131/my%2520session/';
const session = { datePrefix: '20260131', encodedSession: 'my%20session' };
const KEY = '20260131/my%20session';
const LARGE = 201_234_567_890_123;
const FACTS = {
  ...{ size: LARGE, md5: 'd41d8cd98f00b204e9800998ecf8427e', mtimeMs: -1, attempts: 2, pod: 'uploader-0' },
  ...{ maxFiles: 100, etag: '"0x8DD5A1B2C3D4E5F"' },
};

async function make(t: TestContext) {
  const server = await TestRedis.start();
  const redis = new Redis(server.url);
  t.after(async () => {
    redis.disconnect();
    await server.end();
  });
  return {
    redis,
    moves: new Moves(redis, PREFIX),
    sessions: new Sessions(redis, PREFIX),
    history: new History(redis, PREFIX, jobStates(redis, PREFIX)),
    trim: new Trim(redis, PREFIX),
  };
}

const names = (records: readonly FileRecord[]) => records.map(({ filename }) => filename);

async function manifest(history: History): Promise<string[]> {
  const found: string[] = [];
  for await (const page of history.done(session)) found.push(...names(page));
  return found;
}

test('a done record is one short text, and reads as it was, whatever its name and its URL', async (t) => {
  const { redis, moves, history } = await make(t);
  const odd = `it's "ä" 100%.bin`;
  for (const [filename, blobUrl] of [
    ['a b.bin', `${BASE}a%20b.bin`],
    [odd, `${BASE}it%27s%20%22%C3%A4%22%20100%25.bin`],
    ['moved.bin', 'https://other.blob.core.windows.net/ingest/20260131/my%2520session/moved.bin'],
  ] as const) {
    await moves.queued([{ session, filename, size: 1 }], '');
    await moves.begin({ session, filename, size: 1 }, 'run', false, 'uploader-0');
    assert.equal(await moves.receipt(session, filename, 'claim', { ...FACTS, blobUrl }), true);
    const [record] = await history.find(filename);
    const { id: _, queuedAt, startedAt, finishedAt, ...rest } = record!;
    assert.deepEqual(rest, {
      ...{ filename, session, state: 'done', why: 'verified in the store', size: LARGE, progress: LARGE },
      ...{ attempts: 2, code: null, blobUrl, md5: FACTS.md5, mtime: -1, uploader: 'uploader-0' },
      etag: '0x8DD5A1B2C3D4E5F',
    });
    assert.ok(queuedAt! <= startedAt! && startedAt! <= finishedAt! && finishedAt! <= Date.now() + 1000);
  }
  assert.equal(await redis.exists(`${PREFIX}:file:1`, `${PREFIX}:name:a b.bin`), 0);
  assert.doesNotMatch((await redis.get(`${PREFIX}:done:1`)) ?? '', /blob\.core/);
  const { records: listed } = await history.list({
    states: ['queued', 'done'],
    session,
    before: null,
    limit: 10,
  });
  assert.deepEqual(names(listed), ['moved.bin', odd, 'a b.bin']);
  assert.deepEqual(await manifest(history), ['a b.bin', odd, 'moved.bin']);
});

test('all records of a name are found, newest first, and the oldest go by the limit', async (t) => {
  const { redis, moves, history, sessions, trim } = await make(t);
  for (const claim of ['1', '2', '3']) {
    await moves.queued([{ session, filename: 'a', size: 1 }], '');
    await moves.receipt(session, 'a', claim, {
      ...FACTS,
      size: 1,
      blobUrl: `${BASE}a`,
      attempts: Number(claim),
    });
  }
  await moves.queued([{ session, filename: 'a', size: 1 }], '');
  const all = async () => (await history.find('a')).map(({ state, attempts }) => `${state} ${attempts}`);
  assert.deepEqual(await all(), ['queued 0', 'done 3', 'done 2', 'done 1']);
  while ((await trim.pass(0, 1)) > 0);
  assert.deepEqual(await all(), ['queued 0', 'done 3']);
  assert.equal((await sessions.read([KEY]))[0]?.files.done, 3);
  while ((await trim.pass(0, 0)) > 0);
  assert.deepEqual(await all(), ['queued 0']);
  assert.deepEqual((await redis.keys('*done*')).concat(await redis.keys('*names')), []);
});

test('a done file whose source still stands waits with all that is known of it, and is done again', async (t) => {
  const { moves, history, sessions } = await make(t);
  const filename = "it's.bin";
  const blobUrl = `${BASE}it's.bin`;
  await moves.queued([{ session, filename, size: 5 }], '');
  await moves.receipt(session, filename, 'claim', { ...FACTS, size: 5, blobUrl, tier: 'Cool' });
  const [before] = await history.find(filename);
  assert.equal(before?.tier, 'Cool');
  await moves.sourceStands(session, filename, blobUrl);
  const [waits] = await history.find(filename);
  assert.deepEqual({ ...waits, why: '' }, { ...before, state: 'delayed', why: '', finishedAt: null });
  assert.match(waits?.why ?? '', /its source still stands/);
  assert.deepEqual((await sessions.read([KEY]))[0]?.bytes, { done: 0, total: 5 });
  await moves.forget(session, filename);
  const [after] = await history.find(filename);
  assert.deepEqual({ ...after, finishedAt: 0 }, { ...before, finishedAt: 0 });
  assert.deepEqual((await sessions.read([KEY]))[0]?.bytes, { done: 5, total: 5 });
});
