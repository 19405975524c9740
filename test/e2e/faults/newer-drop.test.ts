import assert from 'node:assert/strict';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { jobId, parseSessionKey, removingName } from '@app/shared/domain';
import { Moves } from '@app/shared/records';
import { seen, TcpProxy, test, until, World } from '../../support/index.js';

const NAME = 'same.bin';
const PREFIX = '{sluice}';

const put = (world: World, text: string): void => writeFileSync(join(world.incoming, NAME), text);
const blobText = async (world: World, session: string): Promise<string | null> => {
  const container = world.azurite.client.getContainerClient(world.container);
  const blob = container.getBlobClient(`${session}/${NAME}`);
  return (await blob.exists()) ? (await blob.downloadToBuffer()).toString() : null;
};

/** Leaves a world as a death between the removal's rename and its unlink does: the file under its dot name. */
async function dieInRemoval(world: World, session: string): Promise<void> {
  const ref = parseSessionKey(session)!;
  const claimed = join(world.processing, session);
  await until('it is queued', async () => (await world.status()).queue.waiting === 1);
  const client = new Redis(world.redis.url);
  await new Moves(client, PREFIX).begin({ session: ref, filename: NAME, size: 3 }, 'dead', false, 'gone');
  await client.quit();
  mkdirSync(claimed, { recursive: true });
  renameSync(join(world.incoming, NAME), join(claimed, removingName(NAME, '0badcafe')));
}

test('an uploader dies in its removal step, and a newer file of the name is dropped: both go through, the newer one last', async (t) => {
  // so seldom that only an uploader can find what was left
  const env = { APP_RECOVERY_INTERVAL_S: '600' };
  const world = await World.make(t, { start: ['api', 'scanner'], env });
  const session = await world.startSession('removal');
  put(world, 'OLD');
  await dieInRemoval(world, session);
  put(world, 'NEWER');
  await (await world.start('uploader')).ready();
  await world.done(2);
  await until('nothing is left', () => world.filesIn(world.volume).length === 0);
  assert.equal(await blobText(world, session), 'NEWER');
  assert.equal((await world.status()).processed_ok, 2);
  seen(t, {
    fault: 'an uploader dies in its removal step while a newer file of the name waits',
    injected: 'the state that such a death leaves',
    promised: 'the older one ends first, the newer content stays',
    files: 2,
  });
});

test('the same, and Redis loses all its data: the newer file is held until the older one is through', async (t) => {
  const world = await World.make(t, { start: ['api', 'scanner'], env: { APP_RECOVERY_INTERVAL_S: '3' } });
  const session = await world.startSession('removal');
  put(world, 'OLD');
  await dieInRemoval(world, session);
  put(world, 'NEWER');
  await world.redis.use((client) => client.flushall());
  await (await world.start('uploader')).ready();
  await world.done(2);
  await until('nothing is left', () => world.filesIn(world.volume).length === 0);
  assert.equal(await blobText(world, session), 'NEWER');
});

for (const refused of ['for good', 'this time'] as const)
  test(`an uploader is cut off from Redis, the store refuses its file ${refused}, and a newer one waits: that one is not touched`, async (t) => {
    const world = await World.make(t, { proxy: true, start: ['api', 'scanner'] });
    const proxy = world.proxy!;
    const first = await world.startSession('first');
    const container = world.azurite.client.getContainerClient(world.container);
    const blob = container.getBlockBlobClient(`${first}/${NAME}`);
    await blob.upload('foreign', 7);
    const lease = blob.getBlobLeaseClient();
    if (refused === 'for good') await lease.acquireLease(-1);
    const way = await TcpProxy.start(world.redis.port);
    t.after(() => way.end());
    const cutOff = await world.start('uploader', { APP_REDIS_URL: `redis://127.0.0.1:${way.port}/0` });
    await cutOff.ready();
    const isSecondPut = (request: { method?: string; url?: string; headers: object }): boolean =>
      request.method === 'PUT' && request.url!.includes(NAME) && 'if-match' in request.headers;
    proxy.rules = [{ match: isSecondPut, fault: { kind: 'hold' } }];
    put(world, 'OLD');
    await until('its write is held', () => proxy.holding > 0);
    way.stall();
    if (refused === 'this time') proxy.refuseHeld(400, 'InvalidInput');
    else proxy.release();
    // its lock runs out, and another uploader ends the file
    const other = await world.start('uploader');
    await other.ready();
    if (refused === 'for good') await lease.breakLease(0);
    await world.done(1);
    await other.stop();
    const second = await world.startSession('second');
    put(world, 'NEWER');
    const waiting = async () => (await world.status()).queue.waiting === 1;
    await until('the newer one is queued', waiting);
    await world.redis.use((client) => client.hset(`${PREFIX}:upload:meta`, 'paused', 1));
    await way.pass();
    await until('the one that was cut off is back', async () => {
      const { pods } = await world.status();
      return pods.length === 3 && pods.every((pod: { in_hand: number }) => pod.in_hand === 0);
    });
    const data = await world.redis.use((client) => client.hget(`${PREFIX}:upload:${jobId(NAME)}`, 'data'));
    assert.match(data!, /"encoded_session":"second"/);
    assert.ok(existsSync(join(world.incoming, NAME)), 'it still stands in the drop folder');
    await world.redis.use((client) => client.hdel(`${PREFIX}:upload:meta`, 'paused'));
    await (await world.start('uploader')).ready();
    await world.done(2);
    assert.equal(await blobText(world, first), 'OLD');
    assert.equal(await blobText(world, second), 'NEWER');
    assert.equal((await world.status()).processed_err, 0);
  });

test('a retried file that finds no room before it is brought back keeps its place before a newer one', async (t) => {
  const world = await World.make(t);
  const first = await world.startSession('first');
  const container = world.azurite.client.getContainerClient(world.container);
  const blob = container.getBlockBlobClient(`${first}/${NAME}`);
  await blob.upload('foreign', 7);
  const lease = blob.getBlobLeaseClient();
  await lease.acquireLease(-1);
  const old = 'o'.repeat(3000);
  put(world, old);
  await until('it is quarantined', async () => (await world.status()).processed_err === 1);
  await lease.breakLease(0);
  const second = await world.startSession('second');
  put(world, 'NEWER');
  await until('the newer one is held', async () => (await world.status()).incoming.held === 1);
  await world.app('uploader').stop();
  const small = await world.start('uploader', { APP_STAGING_LIMIT: '1000' });
  await small.ready();
  assert.deepEqual((await world.api('/v1/files/retry', {})).body, { retried: 1 });
  await until('it waits for room', async () => {
    const { problems } = await world.status();
    return problems.some((sentence: string) => sentence.includes(NAME));
  });
  await small.stop();
  await (await world.start('uploader')).ready();
  await world.done(2);
  assert.equal(await blobText(world, first), old);
  assert.equal(await blobText(world, second), 'NEWER');
});
