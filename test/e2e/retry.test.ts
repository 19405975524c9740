import assert from 'node:assert/strict';
import { Redis } from 'ioredis';
import { jobId } from '@app/shared/domain';
import { openUploadQueue } from '@app/shared/queue';
import { TcpProxy, test, until, World } from '../support/index.js';

const BAD = ['by-api.bin', 'by-board.bin', 'by-nobody.bin'];

test('a retried file counts as queued and opens its session again, whoever retried it, before an uploader takes it', async (t) => {
  const world = await World.make(t, { proxy: true, env: { APP_MAX_ATTEMPTS: '2' } });
  world.proxy!.rules = [
    {
      match: ({ method, url }) => method === 'PUT' && /by-/.test(url ?? ''),
      fault: { kind: 'status', status: 400, code: 'InvalidInput' },
    },
  ];
  const key = await world.startSession('s');
  for (const name of BAD) world.drop(name, 1000);
  await until('all are quarantined', async () => {
    const { queue, processed_err } = await world.status();
    return queue.failed === 3 && processed_err === 3;
  });
  await world.api('/v1/watch/stop', {});
  await world.app('uploader').stop();
  const session = async () => {
    const { state, files, finished_at } = (await world.api(`/v1/sessions/${key}`)).body;
    return { state, queued: files.queued, failed: files.failed, finished: finished_at !== null };
  };
  assert.deepEqual(await session(), { state: 'finished', queued: 0, failed: 3, finished: true });

  const retried = async () => (await world.api('/v1/files/retry', { filenames: [BAD[0]] })).body.retried;
  assert.equal(await retried(), 1);
  assert.deepEqual(await session(), { state: 'draining', queued: 1, failed: 2, finished: false });
  assert.equal(await retried(), 0);
  const file = (await world.api(`/v1/files/${BAD[0]}`)).body;
  assert.deepEqual(
    [file.state, file.why, file.attempts, file.code, file.finished_at],
    ['queued', 'queued: retried, waits for an uploader', 0, null, null],
  );

  const board = `http://127.0.0.1:${world.app('api').port}/admin/queues/api/queues/upload`;
  const put = await fetch(`${board}/${encodeURIComponent(jobId(BAD[1]!))}/retry`, { method: 'PUT' });
  assert.equal(put.status, 204);
  assert.deepEqual(await session(), { state: 'draining', queued: 2, failed: 1, finished: false });

  // as one does who dies between the job and its record
  const client = new Redis(world.redis.url, { maxRetriesPerRequest: null });
  const queue = openUploadQueue(client, '{sluice}', () => undefined);
  t.after(async () => {
    await queue.close();
    client.disconnect();
  });
  await (await queue.getJob(jobId(BAD[2]!)))?.retry('failed');
  await until('recovery records it', async () => {
    const { queued, failed } = await session();
    return queued === 3 && failed === 0;
  });

  // removed in Bull Board after all: it stands there again once an uploader shows it
  assert.equal(
    (await fetch(`${board}/${encodeURIComponent(jobId(BAD[2]!))}/clean`, { method: 'PUT' })).status,
    204,
  );
  await until('its record says failed again', async () => (await session()).failed === 1);
  assert.equal(world.filesIn(world.failed).includes(`${key}/${BAD[2]}`), true);

  world.proxy!.pass();
  await world.start('uploader');
  await world.done(2);
  await until('it stands in Bull Board again', async () => (await world.status()).queue.failed === 1);
  const { processed_err } = await world.status();
  assert.equal(processed_err, 3, 'nothing was quarantined twice');
  assert.equal((await world.api('/v1/files/retry', {})).body.retried, 1);
  await world.done(3);
  await until('the session is finished again', async () => (await session()).state === 'finished');
  assert.deepEqual(await session(), { state: 'finished', queued: 0, failed: 0, finished: true });
  assert.deepEqual(world.filesIn(world.failed), []);
  assert.equal((await world.blobs()).size, 3);
});

test('a job whose uploader died right before it failed is no retry: it fails, and is not counted again', async (t) => {
  const world = await World.make(t, { proxy: true, env: { APP_MAX_ATTEMPTS: '1' } });
  world.proxy!.rules = [
    {
      match: ({ method, url }) => method === 'PUT' && /bad/.test(url ?? ''),
      fault: { kind: 'status', status: 400, code: 'InvalidInput' },
    },
  ];
  const key = await world.startSession('s');
  world.drop('bad.bin', 1000);
  await until('it is quarantined', async () => (await world.status()).queue.failed === 1);
  await world.app('uploader').stop();
  const client = new Redis(world.redis.url, { maxRetriesPerRequest: null });
  const queue = openUploadQueue(client, '{sluice}', () => undefined);
  t.after(async () => {
    await queue.close();
    client.disconnect();
  });
  // as the job stands then: its data is written, and its attempt is not counted yet
  const job = await queue.getJob(jobId('bad.bin'));
  assert.ok(job);
  const { data, attemptsMade } = job;
  await job.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true });
  assert.equal(data.failing_at, attemptsMade - 1);
  world.proxy!.pass();
  await world.start('uploader');
  await until('its job has failed again', async () => (await world.status()).queue.failed === 1);
  assert.equal((await world.status()).processed_err, 1);
  assert.deepEqual(
    world.filesIn(world.failed).filter((name) => name.endsWith('.bin')),
    [`${key}/bad.bin`],
  );
  // one that has failed, and is sent back by anybody, begins anew
  await (await queue.getJob(jobId('bad.bin')))?.retry('failed');
  await world.done(1);
});

test('a retry over a slow way to Redis answers what it did', async (t) => {
  const world = await World.make(t, { proxy: true, env: { APP_MAX_ATTEMPTS: '1' } });
  world.proxy!.rules = [
    {
      match: ({ method, url }) => method === 'PUT' && /bad/.test(url ?? ''),
      fault: { kind: 'status', status: 400, code: 'InvalidInput' },
    },
  ];
  await world.startSession('s');
  world.drop('bad.bin', 1000);
  await until('it is quarantined', async () => (await world.status()).queue.failed === 1);
  world.proxy!.pass();
  const slow = await TcpProxy.start(world.redis.port);
  t.after(() => slow.end());
  slow.delayMs = 125;
  const api = await world.start('api', { APP_REDIS_URL: `redis://127.0.0.1:${slow.port}/0` });
  await api.ready();
  const answer = await fetch(`http://127.0.0.1:${api.port}/v1/files/retry`, { method: 'POST' });
  assert.deepEqual([answer.status, await answer.json()], [200, { retried: 1 }]);
  await world.done(1);
});
