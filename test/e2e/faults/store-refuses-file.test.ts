import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test, until, World } from '../../support/index.js';

const MIB = 1024 * 1024;

test('the store refuses one file: it is quarantined after its attempts, the others go on, a retry brings it through', async (t) => {
  const world = await World.make(t, {
    proxy: true,
    env: { APP_MAX_ATTEMPTS: '3', APP_RETRY_BACKOFF_S: '0.1' },
  });
  const proxy = world.proxy!;
  const poison = {
    match: (request: { url?: string }) => request.url?.includes('poison') === true,
    fault: { kind: 'status', status: 400, code: 'InvalidInput' },
  } as const;
  proxy.rules = [poison];
  const session = await world.startSession('one refused');
  const wanted = new Map(
    ['good 1', 'good 2', 'poison'].map((name) => [`${session}/${name}`, world.drop(name, 5 * MIB)]),
  );
  await until('it is quarantined', async () => (await world.status()).processed_err === 1);
  await world.done(2);
  const reason = JSON.parse(readFileSync(join(world.failed, session, '.poison.error.json'), 'utf8'));
  assert.deepEqual(Object.keys(reason), [
    'filename',
    'date_prefix',
    'encoded_session',
    'code',
    'message',
    'attempts',
    'first_attempt_at',
    'last_attempt_at',
  ]);
  assert.equal(reason.code, 'InvalidInput');
  assert.equal(reason.attempts, 3);
  await until('its job has failed', async () => (await world.status()).queue.failed === 1);
  const { body } = await world.api('/v1/files/poison');
  assert.equal(body.why, 'failed after 3 attempts: 400 InvalidInput from get block list');
  assert.match((await world.status()).last_error, /poison.*InvalidInput/);

  // the same name, dropped again, is held until the first is through
  const second = world.drop('poison', 777, 9);
  await until('it is held', async () => (await world.status()).incoming.held === 1);
  assert.match((await world.api('/v1/files/poison')).body.why, /held.*quarantined/);

  proxy.rules = [];
  assert.deepEqual((await world.api('/v1/files/retry', { filenames: ['poison', 'unknown'] })).body, {
    retried: 1,
  });
  await world.done(4);
  wanted.set(`${session}/poison`, second);
  assert.deepEqual(await world.blobs(), wanted);
  assert.equal(existsSync(join(world.failed, session, '.poison.error.json')), false);
  assert.equal((await world.status()).processed_err, 1, 'counted once');
});

test('a quarantined file that is removed by hand frees its name', async (t) => {
  const world = await World.make(t);
  const session = await world.startSession('freed');
  world.drop('bad.', 10);
  await until('it is quarantined', async () => (await world.status()).queue.failed === 1);
  rmSync(join(world.failed, session, 'bad.'));
  await until('the name is free', async () => (await world.status()).queue.failed === 0);
  assert.equal((await world.api('/v1/files/bad.')).status, 404);
});

test('a quarantined file whose job is removed stands there again', async (t) => {
  const world = await World.make(t);
  const session = await world.startSession('again');
  world.drop('bad.', 10);
  await until('it is quarantined', async () => (await world.status()).queue.failed === 1);
  await world.redis.use((client) => client.flushall());
  await until('it stands as failed again', async () => (await world.status()).queue.failed === 1);
  assert.ok(existsSync(join(world.failed, session, 'bad.')));
  assert.equal((await world.api('/v1/files/bad.')).body.code, 'InvalidBlobName');
  assert.equal((await world.status()).processed_err, 0, 'not counted again');
});

test('bytes damaged on the way are refused by the store, and the file is sent again', async (t) => {
  const world = await World.make(t, { proxy: true });
  const proxy = world.proxy!;
  let damaged = 0;
  proxy.rules = [
    {
      match: (request) =>
        request.method === 'PUT' &&
        !request.url?.includes('blocklist') &&
        !request.url?.includes('probe') &&
        damaged++ < 2,
      fault: { kind: 'damage' },
    },
  ];
  const session = await world.startSession('damage');
  const wanted = new Map(
    [
      ['single', 1000],
      ['blocks', 20 * MIB],
    ].map(([name, bytes]) => [`${session}/${name}`, world.drop(String(name), Number(bytes))]),
  );
  await world.done(2);
  assert.ok(damaged > 2);
  assert.deepEqual(await world.blobs(), wanted);
});

test('blocks of another tool under the name are cleared without harm', async (t) => {
  const world = await World.make(t);
  const session = await world.startSession('foreign');
  const container = world.azurite.client.getContainerClient(world.container);
  for (const name of ['new.bin', 'there.bin']) {
    const client = container.getBlockBlobClient(`${session}/${name}`);
    if (name === 'there.bin') {
      await client.stageBlock('AAAA', Buffer.from('old'), 3);
      await client.commitBlockList(['AAAA']);
    }
    await client
      .stageBlock(Buffer.from('another tool').toString('base64'), Buffer.from('x'), 1)
      .catch(() => undefined);
  }
  const wanted = new Map(
    ['new.bin', 'there.bin'].map((name) => [`${session}/${name}`, world.drop(name, 12 * MIB)]),
  );
  await world.done(2);
  assert.deepEqual(await world.blobs(), wanted);
});
