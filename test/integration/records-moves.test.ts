import assert from 'node:assert/strict';
import { Redis } from 'ioredis';
import { Interrupted } from '@app/shared/domain';
import { Moves, Sessions, totals } from '@app/shared/records';
import { test, type TestContext, TestRedis } from '../support/index.js';

const PREFIX = '{sluice}';
const session = { datePrefix: '20260131', encodedSession: 'my%20session' };
const KEY = '20260131/my%20session';
const FACTS = {
  ...{ blobUrl: 'http://x', size: 0, md5: null, mtimeMs: 1, attempts: 1, pod: 'a', maxFiles: 100 },
};

async function make(t: TestContext): Promise<{ redis: Redis; moves: Moves; sessions: Sessions }> {
  const server = await TestRedis.start();
  const redis = new Redis(server.url);
  t.after(async () => {
    redis.disconnect();
    await server.end();
  });
  return { redis, moves: new Moves(redis, PREFIX), sessions: new Sessions(redis, PREFIX) };
}

test('an empty file may be taken back, and its rerun after the receipt ends like any other', async (t) => {
  const { moves, sessions } = await make(t);
  const empty = { session, filename: 'empty.bin', size: 0 };
  await moves.queued([empty], '');
  await moves.forget(session, empty.filename);
  await moves.queued([empty], '');
  assert.equal(await moves.receipt(session, empty.filename, 'claim', FACTS), true);
  // its uploader died before the job was complete
  await moves.begin(empty, 'again', false, 'b');
  assert.equal(await moves.receipt(session, empty.filename, 'claim', FACTS), false);
  const [record] = await sessions.read([KEY]);
  assert.deepEqual(record?.files, { queued: 0, active: 0, delayed: 0, done: 1, failed: 0 });
  assert.deepEqual(record?.bytes, { done: 0, total: 0 });
});

test('a run whose lock is lost changes no record, however late its commands come', async (t) => {
  const { redis, moves, sessions } = await make(t);
  const [held, lost] = ['mine', 'lost'].map((token) => ({ id: 'f-a.bin', token }));
  await redis.set(`${PREFIX}:upload:f-a.bin:lock`, 'mine');
  await moves.queued([{ session, filename: 'a.bin', size: 5 }], '');
  const file = { session, filename: 'a.bin', size: 5 };
  const reason = { why: 'failed', attempts: 1, code: 'X', count: true };
  const rest = { state: 'delayed', why: 'waits', attempts: 1 } as const;
  for (const change of [
    () => moves.begin(file, 'stale', false, 'b', lost),
    () => moves.rest(session, 'a.bin', '', rest, lost),
    () => moves.receipt(session, 'a.bin', 'claim', FACTS, lost),
    () => moves.quarantined(file, reason, lost),
    () => moves.forget(session, 'a.bin', lost),
  ])
    await assert.rejects(change, Interrupted);
  assert.deepEqual((await sessions.read([KEY]))[0]?.files.queued, 1);
  assert.deepEqual(await totals(redis, PREFIX), { processedOk: 0, processedErr: 0, lastError: null });

  const begun = await moves.begin(file, 'run', false, 'b', held);
  assert.deepEqual(begun, {
    before: 'queued',
    deaths: 0,
    aloneDeaths: 0,
    first: true,
    lockMs: -1,
    record: '1',
    labels: '',
  });
  assert.equal(await moves.rest(session, 'a.bin', 'run', rest, held), true);
  assert.equal((await moves.begin(file, 'next', false, 'b', held)).first, false);
  assert.equal(await moves.receipt(session, 'a.bin', 'claim', { ...FACTS, size: 5 }, held), true);
});
