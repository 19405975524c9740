import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { Pods } from '@app/shared/pods';
import { Questions, type Answerer } from '@app/shared/questions';
import { connectForRequests } from '@app/shared/redis';
import { Child, test, type TestContext, TestRedis, until } from '../support/index.js';
import { Asking, NoAnswer } from '../../apps/api/asking.js';
import { RedisGate } from '../../apps/api/redis-gate.js';

const PREFIX = '{sluice}';
const LONG_MS = 120_000;

interface Stage {
  readonly server: TestRedis;
  readonly redis: Redis;
  readonly ask: (
    kind: string,
    data?: object,
    more?: { ms?: number; signal?: AbortSignal; role?: Answerer },
  ) => Promise<Record<string, unknown>>;
  readonly pod: (id: string, role?: Answerer) => Promise<Child>;
  /** What questions and answers left in Redis. */
  readonly left: () => Promise<string[]>;
}

async function stage(t: TestContext): Promise<Stage> {
  const server = await TestRedis.start();
  const redis = connectForRequests({ url: server.url, prefix: PREFIX, credential: 'url' }, () => undefined);
  t.after(async () => {
    redis.disconnect();
    await server.end();
  });
  await until('Redis is there', () => redis.status === 'ready');
  const asking = new Asking(new RedisGate(redis), new Questions(redis, PREFIX), new Pods(redis, PREFIX));
  return {
    server,
    redis,
    ask: (kind, data = {}, { ms = LONG_MS, signal = new AbortController().signal, role = 'uploader' } = {}) =>
      asking.ask(role, kind, data, ms, signal),
    pod: async (id, role = 'uploader') => {
      const child = new Child(
        process.execPath,
        [join(__dirname, 'answering-pod.js'), server.url, id, role],
        {},
      );
      t.after(() => child.kill());
      await until(`${id} answers`, () => child.stdout.includes('ready'));
      return child;
    },
    left: async () => [
      ...(await redis.keys(`${PREFIX}:question*`)),
      ...(await redis.keys(`${PREFIX}:answer*`)),
    ],
  };
}

test('a pod answers once, and nothing stays in Redis', async (t) => {
  const { ask, pod, left } = await stage(t);
  await Promise.all([pod('a'), pod('b')]);
  const answers = await Promise.all(Array.from({ length: 40 }, () => ask('who')));
  for (const answer of answers) assert.match(String(answer.pod), /^[ab]$/);
  assert.deepEqual(await left(), []);
});

test('a killed pod: another one answers', async (t) => {
  const { ask, pod, left } = await stage(t);
  const pods = await Promise.all([pod('a'), pod('b')]);
  const answer = ask('hold');
  const taker = await until('one holds it', () => pods.find((child) => child.stdout.includes('holds')));
  const [other] = pods.filter((child) => child !== taker);
  assert.ok(taker && other);
  await taker.kill();
  await until('the other one holds it', () => other.stdout.includes('holds'));
  other.signal('SIGUSR2');
  assert.deepEqual(await answer, { pod: taker === pods[0] ? 'b' : 'a' });
  assert.deepEqual(await left(), []);
});

test('an orderly end gives a question back, and where the last pod goes it is said', async (t) => {
  const { ask, pod, left } = await stage(t);
  const [a, b] = [await pod('a'), await pod('b')];
  const answer = ask('hold');
  const refused = assert.rejects(
    answer,
    (error) => error instanceof NoAnswer && /no uploader is there/.test(error.message),
  );
  const first = await until('one holds it', () => [a, b].find((child) => child.stdout.includes('holds')));
  await first?.stop();
  const second = first === a ? b : a;
  await until('the other one holds it', () => second.stdout.includes('holds'));
  await second.stop();
  await refused;
  assert.deepEqual(await left(), []);
});

test('no pod, one of another role, one that may not answer in time, or one of another release: said, and nothing stays', async (t) => {
  const { ask, pod, left } = await stage(t);
  await assert.rejects(ask('who'), {
    name: 'NoAnswer',
    message: 'no uploader is there to answer; start one',
  });
  const holder = await pod('a');
  await assert.rejects(ask('who', {}, { role: 'scanner' }), /no scanner is there/);
  await assert.rejects(ask('of the next release'), /no uploader took the question/);
  await assert.rejects(ask('hold', {}, { ms: 1_000 }), /no uploader answered within 1 s/);
  await until('the pod let go', () => holder.stdout.includes('let go'));
  assert.deepEqual(await left(), []);
});

test('whoever asks goes: the pod stops too', async (t) => {
  const { ask, pod, left } = await stage(t);
  const holder = await pod('a');
  const client = new AbortController();
  const refused = assert.rejects(ask('hold', {}, { signal: client.signal }), NoAnswer);
  await until('it is held', () => holder.stdout.includes('holds'));
  client.abort();
  await refused;
  await until('the pod let go', () => holder.stdout.includes('let go'));
  assert.deepEqual(await left(), []);
});

test('a late pod finds no old question, and what an asker that died left behind ends by itself', async (t) => {
  const { redis, ask, pod, left } = await stage(t);
  const questions = new Questions(redis, PREFIX);
  const id = await questions.put('uploader', 'hold', {}, 1);
  assert.equal((await left()).length, 1);
  await until('it has expired', async () => (await left()).length === 0);
  const late = await pod('late');
  // even where somebody calls the pods again
  assert.deepEqual(await questions.look(id, true), { state: 'expired' });
  await redis.publish(`${PREFIX}:questions:0`, `uploader hold ${id}`);
  await redis.publish(`${PREFIX}:questions:0`, 'uploader __proto__ x');
  await redis.publish(`${PREFIX}:questions:0`, 'nonsense');
  // messages come in their order
  assert.deepEqual(await ask('who'), { pod: 'late' });
  assert.doesNotMatch(late.stdout, /holds/);
});

test('an error and an answer that is too large come as a sentence; a question that ends its pods is given up', async (t) => {
  const { ask, pod, left } = await stage(t);
  await pod('a');
  await assert.rejects(ask('refuse'), /the uploader could not answer: the store is away/);
  const { text } = await ask('large', { bytes: 3 * 1024 * 1024 });
  assert.equal(String(text).length, 3 * 1024 * 1024);
  await assert.rejects(
    ask('large', { bytes: 5 * 1024 * 1024 }),
    /5\.0 MiB, over the limit of 4\.0 MiB; ask for less/,
  );
  await Promise.all([pod('b'), pod('c'), pod('d')]);
  await assert.rejects(ask('die'), /3 pods fell silent/);
  assert.deepEqual(await left(), []);
});

test('Redis goes away while an answer is waited for: said at once', async (t) => {
  const { server, ask, pod } = await stage(t);
  const holder = await pod('a');
  const refused = assert.rejects(ask('hold'), { name: 'RedisAway' });
  await until('it is held', () => holder.stdout.includes('holds'));
  await server.kill();
  await refused;
});
