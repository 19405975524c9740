import assert from 'node:assert/strict';
import { makeCertificate, TlsProxy } from '../support/tls-proxy.js';
import { type AppRole, test, type TestContext, TestRedis, until, World } from '../support/index.js';

/** The rule of docs/deploy.md. */
const RULE = ['resetkeys', '~{sluice}*', 'resetchannels', '&{sluice}:*', '+@all', '-@admin', '-@dangerous'];
const ENDS_MS = 45_000;

/** How an app ends that finds Redis like this; it must end by itself, with one line. */
async function words(world: World, role: AppRole, url: string): Promise<string> {
  const app = await world.start(role, { APP_REDIS_URL: url });
  const deadline = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error(`it runs on: ${app.stdout}`)), ENDS_MS).unref();
  });
  const { code } = await Promise.race([app.ended, deadline]);
  assert.equal(code, 1, app.stdout);
  assert.equal(app.stderr, '');
  assert.equal(app.stdout.includes('geheim'), false, 'no secret is printed');
  const last = app.logs.at(-1);
  assert.equal(last?.level, 'fatal', app.stdout);
  return String(last?.msg);
}

/** Redis with a user `sluice` of the rule in docs/deploy.md. */
async function withUser(t: TestContext, ...more: string[]): Promise<World> {
  const world = await World.make(t, { start: [] });
  await world.redis.use((client) =>
    client.call('ACL', 'SETUSER', 'sluice', 'on', '>geheim', ...RULE, ...more),
  );
  return world;
}

test('a wrong password, and one that is missing, are said with what to change', async (t) => {
  const world = await withUser(t);
  const { port } = world.redis;
  for (const role of ['api', 'scanner', 'uploader'] as const)
    assert.match(
      await words(world, role, `redis://sluice:not-geheim@127.0.0.1:${port}/0`),
      /^APP_REDIS_URL: Redis refuses the user and password \(WRONGPASS\); set the right ones/,
    );
  await world.redis.use((client) => client.config('SET', 'requirepass', 'geheim'));
  assert.match(
    await words(world, 'api', world.redis.url),
    /^APP_REDIS_URL: Redis asks for a password \(NOAUTH\)/,
  );
});

test('a user that may not do what is needed, a database that is not there', async (t) => {
  const world = await withUser(t, '-exists');
  const url = `redis://sluice:geheim@127.0.0.1:${world.redis.port}`;
  assert.match(
    await words(world, 'scanner', `${url}/0`),
    /^APP_REDIS_URL: .*NOPERM.*ACL rule of docs\/deploy/,
  );
  assert.match(await words(world, 'uploader', `${url}/99`), /^APP_REDIS_URL: .*no database of that number/);
});

test('a cluster behind a plain URL, and the other way round', async (t) => {
  const world = await World.make(t, { start: [] });
  const cluster = `redis+cluster://127.0.0.1:${world.redis.port}`;
  assert.match(
    await words(world, 'api', cluster),
    /^APP_REDIS_URL: this Redis is no cluster; write redis:\/\//,
  );
  const sentinel = `redis+sentinel://127.0.0.1:${world.redis.port}/main/0`;
  assert.match(await words(world, 'scanner', sentinel), /^APP_REDIS_URL: the host is no Sentinel/);
  const nodes = [await TestRedis.start(), await TestRedis.start()] as const;
  for (const node of nodes) {
    t.after(() => node.end());
    await node.kill();
    await node.start('--cluster-enabled', 'yes');
  }
  const [one, two] = nodes;
  await one.use((client) => client.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383));
  await one.use((client) => client.call('CLUSTER', 'MEET', '127.0.0.1', two.port));
  await until('it knows where the keys are', () =>
    two.use(async (client) => String(await client.call('CLUSTER', 'INFO')).includes('cluster_state:ok')),
  );
  for (const role of ['api', 'scanner', 'uploader'] as const)
    assert.match(
      await words(world, role, two.url),
      /^APP_REDIS_URL: this Redis is a cluster; write redis\+cluster/,
    );
});

test('a CA that is not known', async (t) => {
  const world = await World.make(t, { start: [] });
  const tls = await TlsProxy.start(world.redis.port, makeCertificate(world.folder, 'redis'));
  t.after(() => tls.end());
  for (const role of ['api', 'scanner', 'uploader'] as const)
    assert.match(
      await words(world, role, `rediss://127.0.0.1:${tls.port}/0`),
      /^APP_REDIS_URL: the certificate of this Redis .*set NODE_EXTRA_CA_CERTS/,
    );
});

test('the ACL rule of docs/deploy.md suffices; a refused INFO leaves the policy unknown, and it is said', async (t) => {
  const world = await withUser(t);
  const url = `redis://sluice:geheim@127.0.0.1:${world.redis.port}/0`;
  for (const role of ['api', 'scanner', 'uploader'] as const)
    await (await world.start(role, { APP_REDIS_URL: url })).ready();
  const session = await world.startSession('as a user');
  const wanted = new Map([[`${session}/a`, world.drop('a', 9_000_000)]]);
  world.drop('bad.', 10);
  await world.done(1);
  await until('one is quarantined', async () => (await world.status()).queue.failed === 1);
  assert.deepEqual(await world.blobs(), wanted);
  assert.equal((await world.api('/v1/watch/stop', {})).status, 200);
  assert.equal((await world.api('/v1/files')).body.items.length, 2);
  assert.equal((await world.api('/admin/queues/api/queues?activeQueue=upload')).status, 200);
  for (const app of world.apps) {
    assert.equal(app.stderr, '');
    assert.doesNotMatch(app.stdout, /NOPERM|WARN/, app.role);
    if (app.role !== 'api')
      assert.ok(
        app.logs.some(({ msg }) => String(msg).includes('hides its eviction policy')),
        app.stdout,
      );
  }
});
