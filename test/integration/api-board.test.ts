import assert from 'node:assert/strict';
import { test } from '../support/index.js';
import { apiAlone } from './api-alone.js';

const META = '{sluice}:upload:meta';
const QUEUE = '/admin/queues/api/queues/upload';

test('a limit of the whole queue is not set in Bull Board, shows where it was set otherwise, and can be removed', async (t) => {
  const { redis, ask } = await apiAlone(t);
  const put = (path: string, body: object) =>
    ask(`${QUEUE}${path}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const limits = () => redis.use((client) => client.hmget(META, 'concurrency', 'max', 'duration'));
  const problems = async () =>
    ((await ask('/v1/status')).body.problems as string[]).filter((p) => /limit/.test(p));

  for (const [path, body] of [
    ['/concurrency', { concurrency: 1 }],
    ['/rate-limit', { max: 1, duration: 60_000 }],
  ] as const) {
    const answer = await put(path, body);
    assert.equal(answer.status, 403, path);
    assert.match(answer.text, /not set by hand.*APP_WORKER_CONCURRENCY/);
  }
  assert.deepEqual(await limits(), [null, null, null]);
  assert.deepEqual(await problems(), []);

  await redis.use((client) => client.hset(META, { concurrency: 1, max: 2, duration: 60_000 }));
  assert.deepEqual(await problems(), [
    'The queue has a concurrency limit: all uploaders together work on 1 file at once; remove it in Bull Board (/admin/queues).',
    'The queue has a rate limit: all uploaders together begin 2 files in 60 s; remove it in Bull Board (/admin/queues).',
  ]);
  assert.equal((await ask(`${QUEUE}/rate-limit`)).body.rateLimit.max, 2);

  assert.equal((await put('/concurrency', { concurrency: 0 })).status, 200);
  assert.equal((await put('/rate-limit', { max: null, duration: null })).status, 200);
  assert.deepEqual(await limits(), [null, null, null]);
  assert.deepEqual(await problems(), []);
});

test('HEAD of the events ends, and an address of the board that cannot be read is the fault of who sent it', async (t) => {
  const { ask } = await apiAlone(t);
  const head = await ask('/v1/events', { method: 'HEAD', signal: AbortSignal.timeout(30_000) });
  assert.equal(head.status, 200);
  assert.equal(head.headers.get('content-type'), 'text/event-stream');
  for (const path of ['/%zz', '/f-%E0%A4%A', '/%/logs']) {
    const answer = await ask(`${QUEUE}${path}`);
    assert.ok(answer.status >= 400 && answer.status < 500, `${path}: ${answer.status} ${answer.text}`);
  }
});
