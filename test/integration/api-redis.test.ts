import assert from 'node:assert/strict';
import { App, freePort, test, TestRedis, until } from '../support/index.js';
import { apiAlone, type ApiAlone } from './api-alone.js';

const CALLS: [string, string][] = [
  ['GET', '/v1/status'],
  ['POST', '/v1/watch/start'],
  ['POST', '/v1/watch/stop'],
  ['GET', '/v1/sessions'],
  ['GET', '/v1/sessions/20260131/x'],
  ['GET', '/v1/sessions/20260131/x/manifest'],
  ['GET', '/v1/files'],
  ['GET', '/v1/files/a.bin'],
  ['POST', '/v1/files/retry'],
  ['GET', '/admin/queues/api/queues'],
];

/** The contract says 1 s; the rest is for a machine that runs other tests as well. */
const DEADLINE_MS = 2_000;

/** Every call answers 503 as a problem, in time. */
async function allAway(api: ApiAlone): Promise<void> {
  for (const [method, path] of CALLS) {
    const answer = await api.ask(path, { method, signal: AbortSignal.timeout(DEADLINE_MS) });
    assert.equal(answer.status, 503, `${method} ${path}: ${answer.text}`);
    assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/);
    assert.match(answer.body.detail, /Redis/);
  }
}

async function wellAgain(api: ApiAlone): Promise<void> {
  await until('the api is ready again', async () => (await api.app.probe('/readyz')) === 200);
  // it may leave a connection that was silent for too long once more
  await until('the status answers', async () => (await api.ask('/v1/status')).status === 200);
  await until('a session starts', async () => (await api.post('/v1/watch/start')).status === 200);
  await until('Bull Board is back', async () => (await api.ask('/admin/queues/api/queues')).status === 200);
}

test('while Redis is away every call answers 503 within a second, and the probes as they are', async (t) => {
  const api = await apiAlone(t);
  await api.redis.kill();
  await until('the loss is seen', async () => (await api.app.probe('/readyz')) === 503);
  await allAway(api);
  assert.deepEqual((await api.ask('/healthz')).body, { ok: true });
  const ready = await api.ask('/readyz');
  assert.deepEqual(ready.body, { ready: false, reasons: ['Redis is away'] });
  assert.equal((await api.ask('/metrics')).status, 200);
  await api.redis.start();
  await wellAgain(api);
});

test('a Redis that is frozen is as good as away', async (t) => {
  const api = await apiAlone(t);
  api.redis.child.freeze();
  await allAway(api);
  assert.equal(await api.app.probe('/healthz'), 200);
  assert.equal(await api.app.probe('/readyz'), 503);
  assert.equal((await api.ask('/metrics', { signal: AbortSignal.timeout(DEADLINE_MS) })).status, 200);
  api.redis.child.thaw();
  await wellAgain(api);
});

test('an api that starts before its Redis listens at once and goes on when it comes', async (t) => {
  const redis = await TestRedis.start();
  t.after(() => redis.end());
  await redis.kill();
  const port = await freePort();
  const app = new App('api', port, { APP_REDIS_URL: redis.url });
  t.after(() => app.kill());
  await until('it listens', async () => (await app.probe('/healthz')) === 200);
  assert.equal(await app.probe('/readyz'), 503);
  assert.equal((await fetch(`http://127.0.0.1:${port}/v1/status`)).status, 503);
  await redis.start();
  await app.ready();
  await until('the status answers', async () => (await fetch(`http://127.0.0.1:${port}/v1/status`)).ok);
  assert.deepEqual(await app.stop(), { code: 0, signal: null });
});

test('a Redis that evicts keys is refused at start, and makes a running api unready', async (t) => {
  const redis = await TestRedis.start();
  t.after(() => redis.end());
  await redis.use((client) => client.config('SET', 'maxmemory-policy', 'allkeys-lru'));
  const app = new App('api', await freePort(), { APP_REDIS_URL: redis.url });
  t.after(() => app.kill());
  assert.equal((await app.ended).code, 1);
  assert.match(app.stdout, /APP_REDIS_URL.*noeviction/);

  await redis.use((client) => client.config('SET', 'maxmemory-policy', 'noeviction'));
  const api = await apiAlone(t, {}, redis);
  await redis.use(async (client) => {
    await client.config('SET', 'maxmemory-policy', 'allkeys-lru');
    // it looks whenever its connection comes back
    await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  });
  const reasons = await until('it is unready', async () => {
    const answer = await api.ask('/readyz');
    return answer.status === 503 && answer.text.includes('noeviction') ? answer.body.reasons : null;
  });
  assert.equal(reasons.length, 1);
  const { problems } = (await api.ask('/v1/status')).body;
  assert.ok(problems.includes(reasons[0]), JSON.stringify(problems));
});

test('SIGTERM ends it with code 0 in every situation of Redis, listeners of events included', async (t) => {
  for (const trouble of ['none', 'killed', 'frozen'] as const) {
    const api = await apiAlone(t);
    const stream = await fetch(`http://127.0.0.1:${api.app.port}/v1/events`);
    const reading = stream.text();
    if (trouble === 'killed') await api.redis.kill();
    if (trouble === 'frozen') api.redis.child.freeze();
    assert.deepEqual(await api.app.stop(), { code: 0, signal: null }, trouble);
    assert.match(await reading, /^: connected/);
    if (trouble === 'none')
      assert.deepEqual(await api.redis.use((client) => client.hkeys('{sluice}:pods')), []);
  }
});
