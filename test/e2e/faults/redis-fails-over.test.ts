import assert from 'node:assert/strict';
import { seen, test, type TestContext, TestRedis, until, World } from '../../support/index.js';

const MIB = 1024 * 1024;
/** Contract section 5: every connection is on the new primary within 30 s, without a restart. */
const GOES_ON_MS = 30_000;

/** A world whose Redis has a replica; all apps reach the primary of the moment by one address. */
async function replicated(t: TestContext): Promise<{ world: World; replica: TestRedis; session: string }> {
  const world = await World.make(t, {
    uploaders: 2,
    redisProxy: true,
    proxy: true,
    env: { APP_AZURE_MAX_CONCURRENCY: '1' },
  });
  const replica = await TestRedis.start();
  t.after(() => replica.end());
  await replica.use((client) => client.replicaof('127.0.0.1', world.redis.port));
  await until('the replica has it all', () =>
    replica.use(async (client) => (await client.info('replication')).includes('master_link_status:up')),
  );
  return { world, replica, session: await world.startSession('failover') };
}

/** What the api tells of as it happens, from now on. */
async function listen(t: TestContext, world: World): Promise<() => string> {
  const ending = new AbortController();
  t.after(() => ending.abort());
  const { body } = await fetch(`http://127.0.0.1:${world.app('api').port}/v1/events`, {
    signal: ending.signal,
  });
  let heard = '';
  const reading = async (): Promise<void> => {
    for await (const chunk of body ?? []) heard += Buffer.from(chunk).toString();
  };
  reading().catch(() => undefined);
  await until('it listens', () => heard.includes('connected'));
  return () => heard;
}

/**
 * Drops files, one after the other, until the events tell of one: scanner, uploaders, api and its events all go on.
 *
 * @param done how many files will be done before
 * @returns the MD5s of those that it dropped, by name
 */
async function goesOn(world: World, heard: () => string, done: number): Promise<Map<string, string>> {
  const dropped = new Map<string, string>();
  const end = Date.now() + GOES_ON_MS;
  await until(
    'the events tell of what is done',
    async () => {
      // nothing is repeated to those who listen
      const name = `afterwards${dropped.size}`;
      dropped.set(name, world.drop(name, 1000));
      await world.done(done + dropped.size, end - Date.now());
      return heard().includes(`"${name}"`);
    },
    GOES_ON_MS,
  );
  for (const app of world.apps) await app.ready(GOES_ON_MS);
  return dropped;
}

for (const how of ['stay open', 'fall silent'] as const)
  test(`Redis fails over while files move, and old connections ${how}: all go on within 30 s`, async (t) => {
    const { world, replica, session } = await replicated(t);
    const heard = await listen(t, world);
    const proxy = world.proxy!;
    proxy.bytesPerSecond = 2 * MIB;
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const wanted = new Map(names.map((name, i) => [`${session}/${name}`, world.drop(name, (3 + i) * MIB)]));
    await until('they are under way', () => proxy.uploadedBytes > 2 * MIB);

    // it hands over to its replica and becomes one; nothing is lost on the way
    await world.redis.use((client) => client.call('FAILOVER'));
    await until('the replica is primary', () =>
      replica.use(async (client) => (await client.info('replication')).includes('role:master')),
    );
    if (how === 'stay open') world.redisProxy!.aim(replica.port);
    else world.redisProxy!.hush(replica.port);
    proxy.bytesPerSecond = 0;

    for (const [name, md5] of await goesOn(world, heard, names.length)) wanted.set(`${session}/${name}`, md5);
    assert.deepEqual(await world.blobs(), wanted);
    // a replica answers what is only read: the api leaves the old primary when it is refused a write, and asks anew
    const status = async () => {
      const { status, body, text } = await world.api('/v1/status');
      if (status !== 200) throw new Error(text);
      return body;
    };
    const { processed_ok, processed_err } = await until('the api answers', status, GOES_ON_MS);
    assert.deepEqual([processed_ok, processed_err], [wanted.size, 0]);
    assert.deepEqual(world.filesIn(world.failed), []);
    assert.ok(world.apps.every((app) => app.alive));
    seen(t, {
      fault: `Redis fails over, and old connections ${how}`,
      injected: 'FAILOVER of a real pair in mid-upload, behind one address that is aimed anew',
      promised: 'every connection is on the new primary within 30 s, without a restart',
      files: names.length + 1,
      kills: 0,
    });
  });

test('existing connections fall silent while new ones work, and nothing is under way: all go on within 30 s', async (t) => {
  const { world, session } = await replicated(t);
  const heard = await listen(t, world);
  const first = world.drop('first', 100);
  await world.done(1);
  world.redisProxy!.hush();
  const wanted = new Map([[`${session}/first`, first]]);
  for (const [name, md5] of await goesOn(world, heard, 1)) wanted.set(`${session}/${name}`, md5);
  assert.deepEqual(await world.blobs(), wanted);
});
