import assert from 'node:assert/strict';
import { jobId, sessionKey } from '@app/shared/domain';
import { uploadJob } from '@app/shared/queue';
import { test, type TestContext } from '../support/index.js';
import { seeded } from './api-seeded.js';

const ONE = { datePrefix: '20260131', encodedSession: 'nightly', name: 'nightly' };
const TWO = { datePrefix: '20260131', encodedSession: 'morning', name: 'morning' };
const FACTS = {
  blobUrl: 'http://store/a',
  md5: '0'.repeat(32),
  mtimeMs: 0,
  attempts: 1,
  pod: 'u',
  maxFiles: 10,
};

/** An api with a session that is asked for. */
async function nightly(t: TestContext) {
  const api = await seeded(t);
  const session = async () => (await api.ask('/v1/sessions/20260131/nightly')).body;
  return { ...api, session };
}

test('a session counts what is in flight, and no failed file until it is retried or gone', async (t) => {
  const { moves, sessions, session, queue, ask } = await nightly(t);
  await sessions.start(ONE);
  const sizes = { 'a.bin': 1000, 'b.bin': 500, 'c.bin': 70, 'd.bin': 30 };
  const files = Object.entries(sizes).map(([filename, size]) => ({ session: ONE, filename, size }));
  await moves.queued(files, '');
  assert.deepEqual((await session()).bytes, { done: 0, in_flight: 0, total: 1600 });

  await moves.begin(files[0]!, 'run', false, 'u');
  assert.equal((await ask('/v1/files/a.bin')).body.step, 'claiming');
  await moves.progress(ONE, 'a.bin', 0, 'staging', 250);
  const staged = (await ask('/v1/files/a.bin')).body;
  assert.deepEqual([staged.step, staged.progress], ['staging', { bytes: 250, percent: 25 }]);
  assert.equal(staged.why, 'staging: 25 % (250 bytes of 1000 bytes are copied from the volume)');
  assert.deepEqual((await session()).bytes, { done: 0, in_flight: 0, total: 1600 });
  await moves.progress(ONE, 'a.bin', 830);
  const sent = (await ask('/v1/files/a.bin')).body;
  assert.deepEqual([sent.step, sent.progress], ['uploading', { bytes: 830, percent: 83 }]);
  const { claiming, staging, uploading, verifying, removing } = sent.steps;
  assert.deepEqual([claiming, staging, uploading, verifying, removing], [1000, 1000, 830, 0, 0]);
  assert.deepEqual((await session()).bytes, { done: 0, in_flight: 830, total: 1600 });
  await moves.receipt(ONE, 'a.bin', 'claim', { ...FACTS, size: 1000 });
  assert.deepEqual((await session()).bytes, { done: 1000, in_flight: 0, total: 1600 });
  assert.equal((await ask('/v1/files/a.bin')).body.step, null);

  const why = {
    why: 'failed after 5 attempts: 400 InvalidInput',
    attempts: 5,
    code: 'InvalidInput',
    count: true,
  };
  for (const file of files.slice(1)) await moves.quarantined(file, why);
  const failed = (await ask('/v1/files?state=failed')).body.items;
  assert.equal(failed.length, 3);
  for (const { hint } of failed) assert.match(hint, /^Look at the job's log in Bull Board, .* then retry\.$/);
  assert.equal((await ask('/v1/files/a.bin')).body.hint, null);
  // said again, as by recovery
  await moves.quarantined(files[1]!, why);
  assert.deepEqual((await session()).bytes, { done: 1000, in_flight: 0, total: 1000 });
  const { name, data, opts } = uploadJob({
    date_prefix: ONE.datePrefix,
    encoded_session: 'nightly',
    filename: 'b.bin',
  });
  await queue.add(name, data, opts);
  assert.equal(opts.jobId, jobId('b.bin'));
  await moves.retried([files[1]!]);
  assert.deepEqual((await session()).bytes, { done: 1000, in_flight: 0, total: 1500 });
  // taken away by hand, and dropped again larger
  await moves.forget(ONE, 'c.bin');
  await moves.queued([{ session: ONE, filename: 'd.bin', size: 60 }], '');
  assert.deepEqual((await session()).bytes, { done: 1000, in_flight: 0, total: 1560 });
});

test('a name that comes again is not answered with what an earlier session did with it', async (t) => {
  const { moves, sessions, incoming, ask } = await nightly(t);
  const of = (session: typeof ONE) => `?session=${encodeURIComponent(sessionKey(session))}`;
  await sessions.start(ONE);
  await moves.queued([{ session: ONE, filename: 'a.bin', size: 5 }], '');
  await moves.receipt(ONE, 'a.bin', 'claim', { ...FACTS, size: 5 });
  assert.match((await ask('/v1/files/a.bin')).body.why, /^done: verified in the store at \S+$/);

  await sessions.start(TWO);
  const { body } = await ask('/v1/files/a.bin');
  assert.match(
    body.why,
    /^done: verified in the store at \S+, in the session 20260131\/nightly; nothing is known of this name in the active one, 20260131\/morning$/,
  );
  assert.equal((await ask(`/v1/files/a.bin${of(ONE)}`)).body.state, 'done');
  const none = await ask(`/v1/files/a.bin${of(TWO)}`);
  assert.equal(none.status, 404);
  assert.match(
    none.body.detail,
    /^no file of this name is known in the session 20260131\/morning; the newest of it is of the session 20260131\/nightly; /,
  );

  const entry = {
    state: 'settling',
    why: 'settling: it must rest for 5 s',
    since: Date.now(),
    size: 5,
  } as const;
  const view = { seen: 1, settling: 1, held: 0, ignored: 0, oldest_age_s: 0, unexamined: 0 };
  await incoming.publish(view, new Map([['a.bin', entry]]), true);
  assert.equal((await ask(`/v1/files/a.bin${of(TWO)}`)).body.state, 'settling');
  assert.equal((await ask(`/v1/files/a.bin${of(ONE)}`)).body.state, 'done');
  const both = (await ask('/v1/files/a.bin')).body;
  assert.deepEqual([both.state, both.others[0].state], ['settling', 'done']);

  await moves.queued([{ session: TWO, filename: 'a.bin', size: 5 }], '');
  const second = (await ask(`/v1/files/a.bin${of(TWO)}`)).body;
  assert.deepEqual([second.state, second.others.length], ['settling', 1]);
  assert.equal(second.others[0].state, 'queued');
  assert.equal((await ask('/v1/files/a.bin?session=morning')).status, 400);
});
