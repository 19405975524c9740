import assert from 'node:assert/strict';
import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { COMPLETED_KEPT, openUploadQueue, QUEUE_NAME, trimCompleted, uploadJob } from '@app/shared/queue';
import { test, TestRedis, until } from '../support/index.js';

const PREFIX = '{sluice}';

test('the oldest completed jobs go with their logs, and the last ones are kept for inspection', async (t) => {
  const server = await TestRedis.start();
  const redis = new Redis(server.url, { maxRetriesPerRequest: null });
  const queue = openUploadQueue(redis, PREFIX, () => undefined);
  const count = COMPLETED_KEPT + 100;
  const worker = new Worker(QUEUE_NAME, async (job) => void (await job.log('done')), {
    connection: redis,
    prefix: PREFIX,
  });
  t.after(async () => {
    await worker.close();
    await queue.close();
    redis.disconnect();
    await server.end();
  });
  await queue.addBulk(
    Array.from({ length: count }, (_, i) =>
      uploadJob({ date_prefix: '20260131', encoded_session: 's', filename: `f${i}`, size: 1 }),
    ),
  );
  await until('all are completed', async () => (await queue.getCompletedCount()) === count);
  const before = await redis.zrange(`${PREFIX}:upload:completed`, '0', '-1');
  assert.equal(await trimCompleted(redis, PREFIX)(), 100);
  assert.equal(await trimCompleted(redis, PREFIX)(), 0);
  assert.deepEqual(await redis.zrange(`${PREFIX}:upload:completed`, '0', '-1'), before.slice(100));
  const left = (await redis.keys(`${PREFIX}:upload:f-*`)).sort();
  assert.deepEqual(
    left,
    before
      .slice(100)
      .flatMap((id) => [`${PREFIX}:upload:${id}`, `${PREFIX}:upload:${id}:logs`])
      .sort(),
  );
});
