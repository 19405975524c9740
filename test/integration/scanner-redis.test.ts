import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { sessionKey } from '@app/shared/domain';
import { test, until } from '../support/index.js';
import { ScannerAlone, SESSION } from './scanner-alone.js';

const sessionOf = (alone: ScannerAlone): Record<string, unknown> =>
  JSON.parse(readFileSync(join(alone.processing, '.sluice-session'), 'utf8')) as Record<string, unknown>;

test('the active session is kept on the volume', async (t) => {
  const alone = await ScannerAlone.make(t);
  const app = await alone.start();
  await app.ready();
  await alone.startSession();
  const watch = await alone.sessions.watch();
  const { startedAt } = watch?.session ?? { startedAt: 0 };
  const kept = await until('it is written', () => sessionOf(alone).enabled && sessionOf(alone));
  const { beat, ...facts } = kept as Record<string, unknown>;
  assert.ok(Number(beat) > 0);
  assert.deepEqual(facts, {
    enabled: true,
    date_prefix: '20260131',
    session_name: 'my session',
    encoded_session: 'my%20session',
    started_at: new Date(startedAt).toISOString(),
    changed_at: watch?.changedAt,
    processed_ok: 0,
    processed_err: 0,
  });
  await alone.startSession('two');
  await until('the switch is written', () => sessionOf(alone).encoded_session === 'two');
  await alone.sessions.stop();
  await until('the stop is written', () => sessionOf(alone).enabled === false);
});

test('after Redis lost all its data the session goes on, and what is claimed comes before what is new', async (t) => {
  const alone = await ScannerAlone.make(t);
  const app = await alone.start();
  await app.ready();
  const session = await alone.startSession();
  await until('the session is on the volume', () => sessionOf(alone).enabled);
  const before = await alone.sessions.watch();
  alone.put(join(alone.processing, sessionKey(session), 'claimed.bin'));
  alone.put(join(alone.incoming, 'claimed.bin'), 'a second one of this name');
  alone.put(join(alone.incoming, 'waits.bin'));
  await alone.jobOf('waits.bin');
  await alone.jobOf('claimed.bin');

  await alone.client.flushall();
  await alone.jobOf('waits.bin');
  const claimed = await alone.jobOf('claimed.bin');
  assert.equal(claimed.data.size, undefined, 'the job is the one of the claimed file');
  assert.deepEqual(await alone.sessions.watch(), before);
  await alone.says('claimed.bin', /^held: the first file of this name is under way$/);
  await alone.problem(
    /^Redis lost its data at \S+ or before; the session 20260131\/my%20session was restored from the volume, counters began again$/,
  );
  await alone.sessions.stop();
  await until('the sentence goes with the session', async () =>
    (await alone.pods.alive()).every((pod) => pod.problems.length === 0),
  );
});

test('a Redis that restarts without its data is the same, and what somebody started since stays', async (t) => {
  const alone = await ScannerAlone.make(t, { APP_POLL_INTERVAL_S: '2' });
  const app = await alone.start();
  await app.ready();
  await alone.startSession();
  await until('the session is on the volume', () => sessionOf(alone).enabled);
  app.freeze();
  await alone.redis.kill();
  await alone.redis.start();
  await alone.startSession('newer');
  app.thaw();
  await alone.problem(/the session 20260131\/newer has been started since, counters began again$/);
  assert.equal((await alone.sessions.watch())?.session?.name, 'newer');
  await until('the volume follows', () => sessionOf(alone).encoded_session === 'newer');
});

test('a session that was stopped is not started again', async (t) => {
  const alone = await ScannerAlone.make(t);
  const app = await alone.start();
  await app.ready();
  await alone.startSession();
  await until('the session is on the volume', () => sessionOf(alone).enabled);
  await alone.sessions.stop();
  await until('the stop is on the volume', () => sessionOf(alone).enabled === false);
  await alone.client.flushall();
  await alone.problem(/^Redis lost its data at \S+ or before; no session was active, counters began again$/);
  assert.equal(await alone.sessions.watch(), null);
});

test('while Redis is away the scanner waits, lives and says that it is not ready; then it goes on', async (t) => {
  const alone = await ScannerAlone.make(t);
  const app = await alone.start();
  await app.ready();
  await alone.startSession();
  await until('the session is on the volume', () => sessionOf(alone).enabled);
  await alone.redis.kill();
  await until('not ready', async () => (await app.probe('/readyz')) === 503);
  assert.equal(await app.probe('/healthz'), 200);
  alone.put(join(alone.incoming, 'meanwhile.bin'));
  await alone.redis.start();
  await app.ready();
  assert.equal((await alone.jobOf('meanwhile.bin')).data.encoded_session, SESSION.encodedSession);
  assert.equal(app.alive, true);
});

test('a Redis that hangs is noticed, and the stop comes in time all the same', async (t) => {
  const alone = await ScannerAlone.make(t);
  const app = await alone.start();
  await app.ready();
  alone.redis.child.freeze();
  await until('not ready', async () => (await app.probe('/readyz')) === 503, 40_000);
  assert.deepEqual(await app.stop(), { code: 0, signal: null });
});

test('a scanner that starts before Redis answers its probes and waits', async (t) => {
  const alone = await ScannerAlone.make(t);
  await alone.redis.kill();
  const app = await alone.start();
  await until('it lives', async () => (await app.probe('/healthz')) === 200);
  assert.equal(await app.probe('/readyz'), 503);
  await alone.redis.start();
  await app.ready();
});

test('an eviction policy that loses jobs is refused with one line', async (t) => {
  const alone = await ScannerAlone.make(t);
  await alone.redis.kill();
  await alone.redis.start('--maxmemory-policy', 'allkeys-lru');
  const app = await alone.start();
  assert.equal((await app.ended).code, 1);
  assert.match(
    String(app.logs.at(-1)?.msg),
    /^APP_REDIS_URL: this Redis evicts keys \(maxmemory-policy allkeys-lru\).*maxmemory-policy noeviction/,
  );
});

test('a Redis that is nearly full is a problem', async (t) => {
  const alone = await ScannerAlone.make(t);
  await alone.client.set('ballast', Buffer.alloc(50_000_000));
  await alone.client.call('CONFIG', 'SET', 'maxmemory', '60mb');
  const app = await alone.start();
  await app.ready();
  await alone.problem(/^Redis uses \d+ % of its memory limit/);
});

test('old records go, counters and quarantined files stay', async (t) => {
  const alone = await ScannerAlone.make(t, { APP_HISTORY_DAYS: '1' });
  const session = await alone.startSession();
  const other = await alone.startSession('other');
  const facts = {
    blobUrl: 'http://x/y',
    size: 10,
    md5: null,
    mtimeMs: 0,
    attempts: 1,
    pod: 'a',
    maxFiles: 100,
  };
  for (const [of, name, claim] of [
    [session, 'old.bin', 'c1'],
    [other, 'kept.bin', 'c2'],
  ] as const) {
    await alone.moves.queued([{ session: of, filename: name, size: 10 }], '');
    await alone.moves.receipt(of, name, claim, facts);
  }
  await alone.moves.quarantined(
    { session: other, filename: 'bad.bin', size: 10 },
    { why: 'x', attempts: 1, code: 'X', count: true },
  );
  alone.put(join(alone.failed, sessionKey(other), 'bad.bin'));
  await alone.sessions.stop();
  const old = Date.now() - 2 * 24 * 3600_000;
  for (const s of [session, other]) {
    await alone.client.hset(`{sluice}:session:${sessionKey(s)}`, 'finished_at', old);
    await alone.client.zadd('{sluice}:sessions', old, sessionKey(s));
  }
  for (const id of ['1', '2']) {
    const record = JSON.parse((await alone.client.get(`{sluice}:done:${id}`)) ?? '') as unknown[];
    record[9] = old;
    await alone.client.set(`{sluice}:done:${id}`, JSON.stringify(record));
  }
  const app = await alone.start();
  await app.ready();
  await until('the old session is gone', async () => (await alone.sessions.keys(0, 10)).length === 1);
  const [kept] = await alone.sessions.read(await alone.sessions.keys(0, 10));
  assert.equal(kept?.name, 'other');
  assert.deepEqual(kept?.files, { queued: 0, active: 0, delayed: 0, done: 1, failed: 1 });
  assert.deepEqual(await alone.client.hgetall('{sluice}:totals'), { processed_ok: '2', processed_err: '1' });
  assert.equal(
    await alone.client.exists(
      '{sluice}:done:1',
      '{sluice}:file:1',
      '{sluice}:name:old.bin',
      '{sluice}:names',
    ),
    0,
  );
  rmSync(alone.failed, { recursive: true });
});
