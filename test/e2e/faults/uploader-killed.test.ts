import assert from 'node:assert/strict';
import { seen, test, until, World } from '../../support/index.js';

const MIB = 1024 * 1024;

test('an uploader is killed: another goes on within 30 s and does not send again what the store holds', async (t) => {
  const world = await World.make(t, { uploaders: 1, proxy: true, env: { APP_AZURE_MAX_CONCURRENCY: '2' } });
  const proxy = world.proxy!;
  const session = await world.startSession('killed');
  const size = 320 * MIB;
  proxy.bytesPerSecond = 40 * MIB;
  const md5 = world.drop('large.bin', size);
  await until('60 % are in the store', () => proxy.uploadedBytes > 0.6 * size, 120_000);
  const [victim] = world.running('uploader');
  await victim?.kill();
  const killedAt = Date.now();
  const sentBefore = proxy.uploadedBytes;
  proxy.bytesPerSecond = 0;
  await world.start('uploader');
  await until('another goes on', () => proxy.uploadedBytes > sentBefore + MIB || undefined, 30_000);
  const goesOnAfterS = (Date.now() - killedAt) / 1000;
  await world.done(1, 90_000);
  assert.deepEqual(await world.blobs(), new Map([[`${session}/large.bin`, md5]]));
  const again = (proxy.uploadedBytes - size) / size;
  assert.ok(
    proxy.uploadedBytes - sentBefore < 0.55 * size,
    `${proxy.uploadedBytes - sentBefore} bytes were sent after the kill`,
  );
  const status = await world.status();
  assert.equal(status.processed_ok, 1);
  assert.equal(status.processed_err, 0);
  await until('nothing is left', () => world.filesIn(world.volume).length === 0);
  seen(t, {
    fault: 'an uploader is killed at 60 % of 320 MiB',
    injected: 'SIGKILL',
    promised: 'another goes on within 30 s and sends only what is missing',
    files: 1,
    kills: 1,
    goesOnAfterS: goesOnAfterS,
    sentAgainPercent: 100 * again,
  });
});

test('a file that kills its uploader is tried alone and quarantined; its neighbours are not blamed', async (t) => {
  const world = await World.make(t, { uploaders: 0, proxy: true, env: { APP_MAX_ATTEMPTS: '2' } });
  const proxy = world.proxy!;
  // the proxy stands in for whatever a poison file does: whoever sends its bytes dies
  let deadly = false;
  proxy.rules = [
    {
      match: (request) => request.url?.includes('poison') === true && (deadly = true),
      fault: { kind: 'stall' },
    },
  ];
  const session = await world.startSession('deadly');
  const wanted = new Map(
    [
      ['good 1', 300],
      ['good 2', 9 * MIB],
    ].map(([name, bytes]) => [`${session}/${name}`, world.drop(String(name), Number(bytes))]),
  );
  world.drop('poison', 5 * MIB);
  const quarantined = async () => (await world.status()).processed_err === 1;
  for (let deaths = 0; deaths < 8; deaths++) {
    deadly = false;
    const app = await world.start('uploader');
    await app.ready();
    await until(
      'it dies of the poison, or quarantines it',
      async () => deadly || (await quarantined()),
      60_000,
    );
    // one that is killed between the count and the end of the job leaves it to the next, which tries it once more
    if (await quarantined()) break;
    await app.kill();
  }
  assert.ok(await quarantined(), 'it stands quarantined after eight deaths at most');
  await world.done(2, 60_000);
  const body = await until('it stands as failed', async () => {
    const { body: file } = await world.api('/v1/files/poison');
    return file.state === 'failed' ? file : null;
  });
  assert.match(body.why, /KillsWorker/);
  assert.deepEqual(await world.blobs(), wanted);
  seen(t, {
    fault: 'a file kills its uploader',
    injected: 'SIGKILL whenever its bytes are sent',
    promised: 'tried alone, quarantined; its neighbours pass',
    files: 3,
  });
});
