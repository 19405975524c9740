import assert from 'node:assert/strict';
import { seen, test, TestRedis, until, World } from '../../support/index.js';

test('where replicas are asked for, a source stays until they have its receipt, and is counted once', async (t) => {
  const world = await World.make(t, { env: { APP_REDIS_WAIT_REPLICAS: '1' } });
  const session = await world.startSession('replicas');
  const wanted = new Map([[`${session}/safe.bin`, world.drop('safe.bin', 100_000)]]);
  await until('it waits for a replica', async () => {
    const { problems } = await world.status();
    const { body } = await world.api('/v1/files/safe.bin');
    const sentence = 'Redis lacks replicas: 0 of the 1 replicas of APP_REDIS_WAIT_REPLICAS have the receipt';
    if (
      body.state === 'delayed' &&
      body.why.endsWith(sentence) &&
      problems.some((problem: string) => problem.includes(sentence))
    )
      return true;
    throw new Error(JSON.stringify({ problems, body }));
  });
  assert.deepEqual(await world.blobs(), wanted);
  assert.deepEqual(world.filesIn(world.processing), [`${session}/safe.bin`]);
  const replica = await TestRedis.start();
  t.after(() => replica.end());
  await replica.use((client) => client.replicaof('127.0.0.1', world.redis.port));
  await until('it is done', async () => (await world.api('/v1/files/safe.bin')).body.state === 'done');
  await until('its source is gone', () => world.filesIn(world.volume).length === 0);
  const { processed_ok, processed_err } = await world.status();
  assert.deepEqual({ processed_ok, processed_err }, { processed_ok: 1, processed_err: 0 });
  // and with a replica nothing waits
  wanted.set(`${session}/second.bin`, world.drop('second.bin', 1000));
  await world.done(2);
  assert.deepEqual(await world.blobs(), new Map([...wanted].sort()));
  seen(t, {
    fault: 'Redis has fewer replicas than APP_REDIS_WAIT_REPLICAS',
    injected: 'none, then one that follows',
    promised: 'the source stays until so many have its receipt, counted once',
    files: 2,
  });
});
