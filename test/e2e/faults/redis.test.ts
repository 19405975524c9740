import assert from 'node:assert/strict';
import { seen, test, until, World } from '../../support/index.js';

const MIB = 1024 * 1024;

test('Redis is away: the api answers 503 within a second, its probes as they are; all go on by themselves', async (t) => {
  const world = await World.make(t, { appendonly: true });
  const session = await world.startSession('redis away');
  const first = world.drop('first', 100);
  await world.done(1);
  for (const how of ['killed', 'frozen'] as const) {
    if (how === 'killed') await world.redis.kill();
    else world.redis.child.freeze();
    await until('the api notices', async () => (await world.app('api').probe('/readyz')) === 503, 10_000);
    for (const path of ['/v1/status', '/v1/files', '/v1/sessions']) {
      const answer = await world.api(path);
      assert.equal(answer.status, 503, `${how} ${path}`);
      assert.equal(answer.body.status, 503);
    }
    // a write that a frozen Redis has received may still take effect when it thaws
    if (how === 'killed') assert.equal((await world.api('/v1/watch/start', {})).status, 503);
    assert.equal(await world.app('api').probe('/healthz'), 200);
    if (how === 'killed') await world.redis.start();
    else world.redis.child.thaw();
    await until('the api is ready again', async () => (await world.app('api').probe('/readyz')) === 200);
  }
  const second = world.drop('second', 9 * MIB);
  await world.done(2);
  assert.deepEqual(
    await world.blobs(),
    new Map([
      [`${session}/first`, first],
      [`${session}/second`, second],
    ]),
  );
  assert.equal(
    world.apps.every((app) => app.alive),
    true,
  );
  seen(t, {
    fault: 'Redis is away',
    injected: 'SIGKILL and restart; SIGSTOP',
    promised: 'the api answers 503 within a second; all go on by themselves',
    files: 2,
    kills: 2,
  });
});

test('Redis loses all its data: what is claimed and quarantined is found again, and the session goes on', async (t) => {
  const world = await World.make(t, { proxy: true, env: { APP_AZURE_MAX_CONCURRENCY: '1' } });
  const proxy = world.proxy!;
  const session = await world.startSession('goes on');
  world.drop('refused.', 10);
  await until('one is quarantined', async () => (await world.status()).queue.failed === 1);
  proxy.bytesPerSecond = 5 * MIB;
  const wanted = new Map(['a', 'b', 'c'].map((name) => [`${session}/${name}`, world.drop(name, 20 * MIB)]));
  await until('they are under way', () => proxy.uploadedBytes > 10 * MIB);
  await world.redis.use((client) => client.flushall());
  proxy.bytesPerSecond = 0;
  const late = world.drop('late', 100);
  wanted.set(`${session}/late`, late);
  await until('all are in the store', async () => (await world.blobs()).size === 4, 90_000);
  assert.deepEqual(await world.blobs(), wanted);
  await until(
    'the volume is empty but for the quarantine',
    () => world.filesIn(world.processing).length + world.filesIn(world.incoming).length === 0,
  );
  const status = await until('all is settled', async () => {
    const now = await world.status();
    return now.queue.failed === 1 && now.queue.active === 0 ? now : null;
  });
  assert.equal(status.active_session, 'goes on');
  assert.ok(
    status.problems.some((sentence: string) => sentence.includes('Redis lost its data')),
    JSON.stringify(status.problems),
  );
  assert.equal(status.processed_err, 0);
  seen(t, {
    fault: 'Redis loses all its data',
    injected: 'FLUSHALL in mid-upload',
    promised: 'claimed and quarantined files are found again, the session goes on',
    files: 5,
  });
});

test('the scanner restarts, or a second one stands by and takes over', async (t) => {
  const world = await World.make(t);
  const session = await world.startSession('scanners');
  const second = await (await world.start('scanner')).ready();
  await until('one leads, one stands by', async () => {
    const { pods } = await world.status();
    const scanners = pods.filter((pod: { role: string }) => pod.role === 'scanner');
    return scanners.length === 2 && scanners.filter((pod: { standby: boolean }) => pod.standby).length === 1;
  });
  const [first] = world.running('scanner');
  await first?.kill();
  const a = world.drop('after the kill', 100);
  await world.done(1, 30_000);
  await second.stop();
  const b = world.drop('while none lives', 100);
  await until(
    'it is missed',
    async () =>
      (await world.status()).problems.some((sentence: string) => sentence.startsWith('No live scanner')),
    30_000,
  );
  assert.equal((await world.status()).incoming, null);
  await (await world.start('scanner')).ready();
  await world.done(2);
  assert.deepEqual(
    await world.blobs(),
    new Map([
      [`${session}/after the kill`, a],
      [`${session}/while none lives`, b],
    ]),
  );
});
