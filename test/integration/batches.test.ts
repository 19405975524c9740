import assert from 'node:assert/strict';
import { Redis } from 'ioredis';
import { BatchConflict, Moves, NO_BATCH, Sessions } from '@app/shared/records';
import { test, type TestContext, TestRedis } from '../support/index.js';
import { seeded } from './api-seeded.js';

const PREFIX = '{sluice}';
const session = { datePrefix: '20260131', encodedSession: 'night', name: 'night' };
const KEY = '20260131/night';
const REASON = { why: 'failed', attempts: 1, code: 'X', count: true };

/** A session, and the moves of its files, each of 5 bytes. */
class Batch {
  private constructor(
    readonly redis: Redis,
    readonly moves: Moves,
    readonly sessions: Sessions,
  ) {}

  static async make(t: TestContext): Promise<Batch> {
    const server = await TestRedis.start();
    const redis = new Redis(server.url);
    t.after(async () => {
      redis.disconnect();
      await server.end();
    });
    return new Batch(redis, new Moves(redis, PREFIX), new Sessions(redis, PREFIX));
  }

  async queued(...names: string[]): Promise<void> {
    await this.moves.queued(
      names.map((filename) => ({ session, filename, size: 5 })),
      '',
    );
  }

  async done(name: string, claim = name): Promise<void> {
    const facts = {
      blobUrl: 'http://x',
      size: 5,
      md5: null,
      mtimeMs: 1,
      attempts: 1,
      pod: 'a',
      maxFiles: 100,
    };
    await this.moves.receipt(session, name, claim, facts);
  }

  async state(): Promise<unknown[]> {
    const [record] = await this.sessions.read([KEY]);
    return [record?.state, record?.complete, record?.missing.files, record?.missing.bytes];
  }

  /** What was told to webhooks so far. */
  async told(): Promise<string[]> {
    const entries = await this.redis.xrange(`${PREFIX}:outbox`, '-', '+');
    return entries.map(([, [, text]]) => String((JSON.parse(text ?? '') as { kind: unknown }).kind));
  }
}

test('a session is complete once the number has come and all is verified, by name; more to come makes it incomplete again', async (t) => {
  const batch = await Batch.make(t);
  await batch.sessions.start(session, null, { ...NO_BATCH, files: 2 });
  assert.deepEqual(await batch.state(), ['active', false, 2, null]);
  await batch.queued('a');
  assert.deepEqual(await batch.state(), ['active', false, 2, null]);
  await batch.done('a');
  // the same name once more is no second file
  await batch.queued('a');
  await batch.done('a', 'another claim');
  assert.deepEqual(await batch.state(), ['active', false, 1, null]);
  await batch.queued('b', 'c');
  await batch.done('b');
  assert.deepEqual(await batch.state(), ['active', false, 1, 5]);
  await batch.done('c');
  assert.deepEqual(await batch.state(), ['active', true, 0, 0]);

  assert.equal(await batch.sessions.start(session, null, { ...NO_BATCH, files: 4, bytes: 20 }), null);
  assert.deepEqual(await batch.state(), ['active', false, 1, 5]);
  await batch.sessions.stop();
  // stopped before all has come: finished, and not complete
  assert.deepEqual(await batch.state(), ['finished', false, 1, 5]);
});

test('what a session expects may be raised and never lowered, and its end marker stays', async (t) => {
  const batch = await Batch.make(t);
  await batch.sessions.start(session, null, { files: 3, bytes: 10, endMarker: 'END' });
  assert.deepEqual(
    await batch.sessions.start(session, null, { ...NO_BATCH, files: 2 }),
    new BatchConflict('files', '3'),
  );
  assert.deepEqual(
    await batch.sessions.start(session, null, { files: 9, bytes: 9, endMarker: null }),
    new BatchConflict('bytes', '10'),
  );
  assert.deepEqual(
    await batch.sessions.start(session, null, { ...NO_BATCH, endMarker: 'OTHER' }),
    new BatchConflict('endMarker', 'END'),
  );
  await batch.sessions.start(session, null, { ...NO_BATCH, bytes: 11 });
  const watch = await batch.sessions.watch();
  assert.deepEqual(watch?.session?.batch, { files: 3, bytes: 11, endMarker: 'END' });
  await batch.sessions.start({ ...session, encodedSession: 'other', name: 'other' });
  assert.deepEqual((await batch.sessions.watch())?.session?.batch, NO_BATCH);
  await batch.sessions.start(session);
  assert.deepEqual((await batch.sessions.watch())?.session?.batch, { files: 3, bytes: 11, endMarker: 'END' });
});

test('an end marker completes a session without a failed file, also one that was given late', async (t) => {
  const batch = await Batch.make(t);
  await batch.sessions.start(session);
  await batch.queued('a', 'END', 'bad');
  await batch.done('a');
  await batch.done('END');
  await batch.moves.quarantined({ session, filename: 'bad', size: 5 }, REASON);
  await batch.sessions.start(session, null, { ...NO_BATCH, endMarker: 'END' });
  assert.deepEqual(await batch.state(), ['active', false, 0, 0]);
  await batch.moves.forget(session, 'bad');
  assert.deepEqual(await batch.state(), ['active', true, 0, 0]);
});

test('without a number or a marker a session is complete once it is finished and nothing failed', async (t) => {
  const batch = await Batch.make(t);
  await batch.sessions.start(session);
  await batch.queued('a');
  await batch.done('a');
  assert.deepEqual(await batch.state(), ['active', false, 0, 0]);
  await batch.sessions.stop();
  assert.deepEqual(await batch.state(), ['finished', true, 0, 0]);
});

test('events are kept for a webhook once each, written with what they tell of, and not at all without one', async (t) => {
  const batch = await Batch.make(t);
  await batch.sessions.start(session, null, { ...NO_BATCH, files: 1 });
  await batch.queued('a');
  await batch.done('a');
  await batch.sessions.stop();
  assert.deepEqual(await batch.told(), []);
  await batch.redis.hset(`${PREFIX}:watch`, 'webhook_at', Date.now());
  await batch.sessions.start(session);
  await batch.queued('bad');
  await batch.moves.quarantined({ session, filename: 'bad', size: 5 }, REASON);
  await batch.moves.quarantined({ session, filename: 'bad', size: 5 }, REASON);
  await batch.sessions.stop();
  assert.deepEqual(await batch.told(), ['quarantined', 'finished']);
  // removed by hand: the session has become complete
  await batch.moves.forget(session, 'bad');
  assert.deepEqual(await batch.told(), ['quarantined', 'finished', 'complete']);
  // more comes: it finishes again, and is complete again
  await batch.sessions.start(session);
  await batch.queued('b');
  await batch.done('b');
  await batch.sessions.stop();
  assert.deepEqual((await batch.told()).slice(3), ['complete', 'finished']);
  // nothing new: it finishes again
  await batch.sessions.start(session);
  await batch.sessions.stop();
  assert.deepEqual((await batch.told()).slice(5), ['finished']);
});

test('a run that is repeated after its receipt tells no webhook anything again, and a new file does', async (t) => {
  const batch = await Batch.make(t);
  await batch.redis.hset(`${PREFIX}:watch`, 'webhook_at', Date.now());
  await batch.sessions.start(session, null, { ...NO_BATCH, files: 1 });
  await batch.queued('a');
  await batch.done('a');
  await batch.sessions.stop();
  assert.deepEqual(await batch.told(), ['complete', 'finished']);
  // the uploader died between the receipt and the end of its job
  await batch.moves.begin({ session, filename: 'a', size: 5 }, 'second run', false, 'b');
  assert.deepEqual(await batch.state(), ['draining', false, 1, 5]);
  await batch.done('a');
  assert.deepEqual(await batch.state(), ['finished', true, 0, 0]);
  assert.deepEqual(await batch.told(), ['complete', 'finished']);

  await batch.queued('a');
  await batch.done('a', 'another claim');
  assert.deepEqual((await batch.told()).slice(2), ['complete', 'finished']);
});

test('the api takes and shows what a session expects, and refuses what it cannot mean', async (t) => {
  const { post, ask, client, moves } = await seeded(t);
  const start = (body: object) => post('/v1/watch/start', { session_name: 'night', ...body });
  for (const [body, said] of [
    [{ expect: { files: 0 } }, 'expect.files must be at least 1'],
    [{ expect: { files: 1.5 } }, 'expect.files must be a whole number'],
    [{ expect: { bytes: -1 } }, 'expect.bytes must be at least 0'],
    [{ expect: [] }, 'expect must be an object'],
    [{ expect: { file: 1 } }, 'property "file" should not exist; this call takes bytes, files'],
    [{ end_marker: 'a//b' }, 'end_marker cannot be the name of a dropped file: a part of the name is empty'],
    [
      { end_marker: '.END' },
      'end_marker cannot be the name of a dropped file: the name, or a part of it, begins with a dot',
    ],
    [{ end_marker: 'END.' }, 'end_marker cannot be the name of a dropped file: it ends in a dot'],
    [{ end_marker: '' }, 'end_marker cannot be the name of a dropped file: the name is empty'],
  ] as const) {
    const answer = await start(body);
    assert.equal(answer.status, 400, answer.text);
    assert.ok(answer.body.detail.includes(said), answer.text);
  }
  const started = await start({ expect: { files: 3 }, end_marker: 'END' });
  assert.equal(started.status, 200, started.text);
  const path = `/v1/sessions/${started.body.date_prefix}/night`;
  const lower = await start({ expect: { files: 2 } });
  assert.equal(lower.status, 409);
  assert.match(lower.body.detail, /^expect\.files of this session is 3 already and may only be raised/);
  const { complete, missing, expect, end_marker } = (await ask(path)).body;
  assert.deepEqual(
    { complete, missing, expect, end_marker },
    {
      complete: false,
      missing: { files: 3, bytes: null },
      expect: { files: 3, bytes: null },
      end_marker: 'END',
    },
  );
  assert.equal((await ask('/v1/sessions')).body.items[0].complete, false);

  // one that began under an earlier release, which counted no names
  const old = (await post('/v1/watch/start', { session_name: 'old' })).body;
  const facts = { blobUrl: 'http://x', size: 5, md5: null, mtimeMs: 1, attempts: 1, pod: 'a', maxFiles: 100 };
  for (const claim of ['1', '2'])
    await moves.receipt({ datePrefix: old.date_prefix, encodedSession: 'old' }, 'a', claim, facts);
  await client.hdel(`${PREFIX}:session:${old.date_prefix}/old`, 'counted', 'superseded', 'superseded_bytes');
  await post('/v1/watch/start', { session_name: 'old', expect: { files: 2 } });
  assert.equal((await ask(`/v1/sessions/${old.date_prefix}/old`)).body.missing.files, 1);
});
