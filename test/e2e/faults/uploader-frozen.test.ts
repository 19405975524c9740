import assert from 'node:assert/strict';
import { seen, test, until, World } from '../../support/index.js';

const MIB = 1024 * 1024;

test('an uploader is frozen longer than its lock, then wakes: neither a newer blob nor a newer file is harmed', async (t) => {
  const world = await World.make(t, {
    uploaders: 1,
    proxy: true,
    env: { APP_AZURE_MAX_CONCURRENCY: '1', APP_WORKER_CONCURRENCY: '1' },
  });
  const proxy = world.proxy!;
  const session = await world.startSession('frozen');
  proxy.bytesPerSecond = 10 * MIB;
  world.drop('same.bin', 40 * MIB, 1);
  await until('half of it is in the store', () => proxy.uploadedBytes > 20 * MIB, 60_000);
  const [sleeper] = world.running('uploader');
  sleeper?.freeze();
  proxy.bytesPerSecond = 0;
  await (await world.start('uploader')).ready();
  await world.done(1, 90_000);
  const newer = world.drop('same.bin', 41 * MIB, 2);
  await world.done(2, 60_000);
  sleeper?.thaw();
  // it notices the lost lock at its next renewal, and then takes new files again
  const third = world.drop('third.bin', 100);
  await world.done(3, 60_000);
  await until('it let go', () => sleeper?.logs.every((line) => line.level !== 'fatal'));
  await until(
    'nobody has anything in hand',
    async () => (await world.status()).pods.every((pod: { in_hand: number }) => pod.in_hand === 0),
    60_000,
  );
  assert.deepEqual(
    await world.blobs(),
    new Map([
      [`${session}/same.bin`, newer],
      [`${session}/third.bin`, third],
    ]),
  );
  assert.equal((await world.status()).processed_ok, 3);
  assert.deepEqual(world.filesIn(world.volume), []);
  seen(t, {
    fault: 'an uploader sleeps longer than its lock',
    injected: 'SIGSTOP in mid-upload, SIGCONT after a newer file of its name went through',
    promised: 'the newer content stays, no source is missing',
    files: 3,
    kills: 1,
  });
});
