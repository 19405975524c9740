import assert from 'node:assert/strict';
import { seen, test, until, World } from '../../support/index.js';

const MIB = 1024 * 1024;

test('SIGTERM: what has not finished at the end of the grace time is handed back, costs no attempt, and goes on elsewhere', async (t) => {
  const world = await World.make(t, {
    uploaders: 1,
    proxy: true,
    env: { APP_SHUTDOWN_GRACE_S: '1', APP_AZURE_MAX_CONCURRENCY: '1' },
  });
  const proxy = world.proxy!;
  const session = await world.startSession('rollout');
  proxy.bytesPerSecond = 5 * MIB;
  const md5 = world.drop('large.bin', 60 * MIB);
  await until('a third is in the store', () => proxy.uploadedBytes > 20 * MIB, 60_000);
  const [old] = world.running('uploader');
  const end = await old?.stop();
  assert.deepEqual(end, { code: 0, signal: null });
  const before = proxy.uploadedBytes;
  proxy.bytesPerSecond = 0;
  const { body } = await world.api('/v1/files/large.bin');
  assert.equal(body.state, 'queued', 'handed back at once');
  assert.equal(body.attempts, 0);
  await (await world.start('uploader')).ready();
  await world.done(1);
  assert.deepEqual(await world.blobs(), new Map([[`${session}/large.bin`, md5]]));
  assert.ok(proxy.uploadedBytes - before <= 45 * MIB, 'it went on where it was');
  seen(t, {
    fault: 'a rollout in mid-upload',
    injected: 'SIGTERM, grace time 1 s',
    promised: 'handed back at once, no attempt counted, goes on elsewhere',
    files: 1,
  });
});

test('SIGTERM ends every app with code 0 and leaves nothing in staging', async (t) => {
  const world = await World.make(t);
  await world.startSession('end');
  world.drop('a', 10 * MIB);
  await world.done(1);
  for (const app of world.apps) assert.deepEqual(await app.stop(), { code: 0, signal: null }, app.role);
  assert.deepEqual(world.staged(), []);
});
