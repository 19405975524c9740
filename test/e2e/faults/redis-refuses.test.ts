import assert from 'node:assert/strict';
import { seen, test, until, World } from '../../support/index.js';

const MIB = 1024 * 1024;
const DEAD = /No live|No scanner leads/;

const set = (world: World, name: string, value: string) =>
  world.redis.use((client) => client.config('SET', name, value));

/** Waits until the status has a sentence of this kind, asserting that the api stays ready and calls nobody dead. */
async function says(world: World, sentence: RegExp): Promise<void> {
  await until(`a problem like ${sentence}`, async () => {
    assert.equal(await world.app('api').probe('/readyz'), 200);
    const { problems } = await world.status();
    assert.doesNotMatch(problems.join('\n'), DEAD);
    if (problems.some((problem: string) => sentence.test(problem))) return true;
    throw new Error(JSON.stringify(problems));
  });
}

test('Redis is full: the api reads on and says so, a lower limit makes room, and no file is lost', async (t) => {
  const world = await World.make(t, { uploaders: 1, proxy: true, env: { APP_AZURE_MAX_CONCURRENCY: '1' } });
  const session = await world.startSession('full');
  const wanted = new Map<string, string>();
  for (let i = 0; i < 20; i++) wanted.set(`${session}/f${i}`, world.drop(`f${i}`, 100 + i));
  await world.done(20);
  world.proxy!.bytesPerSecond = 5 * MIB;
  wanted.set(`${session}/large`, world.drop('large', 20 * MIB));
  await until('it is under way', () => world.proxy!.uploadedBytes > 5 * MIB);

  await set(world, 'maxmemory', '1');
  world.proxy!.bytesPerSecond = 0;
  wanted.set(`${session}/meanwhile`, world.drop('meanwhile', 1000));
  await says(world, /Redis refuses writes: OOM command not allowed when used memory > 'maxmemory'/);
  const refused = await world.api('/v1/watch/start', { session_name: 'other' });
  assert.equal(refused.status, 503);
  assert.match(refused.body.detail, /^Redis refuses writes: OOM/);
  assert.equal((await world.api('/v1/files?state=done')).body.items.length, 20);
  assert.equal((await world.api('/v1/files')).status, 200);

  // all of them anew, as after a change of the settings
  await Promise.all(world.running('scanner').map((app) => app.stop()));
  await world.start('scanner', { APP_HISTORY_MAX_FILES: '5' });
  await until('old records are trimmed', async () => {
    const { body } = await world.api('/v1/files?state=done');
    return body.items.length === 5;
  });
  await says(world, /Redis refuses writes: OOM/);

  await set(world, 'maxmemory', '0');
  await world.done(22);
  assert.deepEqual(await world.blobs(), wanted);
  await until('no problem is left', async () => (await world.status()).problems.length === 0);
  const { processed_ok, processed_err, queue } = await world.status();
  assert.deepEqual([processed_ok, processed_err, queue.failed], [22, 0, 0]);
  assert.deepEqual(world.filesIn(world.failed), []);
  seen(t, {
    fault: 'Redis is full',
    injected: 'CONFIG SET maxmemory in mid-upload; the scanner restarted with a lower history limit',
    promised: 'the api stays ready and says so; old records are trimmed; all goes on by itself',
    files: 22,
    kills: 0,
  });
});

test('Redis cannot save and refuses writes: the api reads on, calls nobody dead, and no file is lost', async (t) => {
  const world = await World.make(t);
  const session = await world.startSession('misconf');
  const first = world.drop('first', 100);
  await world.done(1);
  await set(world, 'save', '3600 1');
  world.redis.loseFolder();
  await until('a save fails', () =>
    world.redis.use(async (client) => {
      await client.bgsave().catch(() => undefined);
      return (await client.info('persistence')).includes('rdb_last_bgsave_status:err');
    }),
  );
  const second = world.drop('second', 1000);
  await says(world, /^Redis refuses writes: MISCONF /);
  await until('nobody can report any more', async () => (await world.status()).pods.length === 0);
  await says(world, /^Redis refuses writes: MISCONF /);
  for (const app of world.running('scanner'))
    assert.match(
      await (await fetch(`http://127.0.0.1:${app.port}/readyz`)).text(),
      /Redis refuses writes: MISCONF/,
    );

  await set(world, 'stop-writes-on-bgsave-error', 'no');
  await world.done(2);
  assert.deepEqual(
    await world.blobs(),
    new Map([
      [`${session}/first`, first],
      [`${session}/second`, second],
    ]),
  );
  await until('no problem is left', async () => (await world.status()).problems.length === 0);
  seen(t, {
    fault: 'Redis cannot save',
    injected: 'its folder is taken away, a save fails, and it refuses writes (MISCONF)',
    promised: 'the api stays ready and says so, and calls nobody dead; all goes on by itself',
    files: 2,
    kills: 0,
  });
});
