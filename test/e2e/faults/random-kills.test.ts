import assert from 'node:assert/strict';
import { makeTrouble, pause, randomOf, seen, test, until, World } from '../../support/index.js';

const MIB = 1024 * 1024;
const FILES = 120;

test('120 files under random kills of uploaders, scanner and Redis: all in the store, each counted once', async (t) => {
  const seed = Date.now() % 1_000_000;
  t.diagnostic(`seed ${seed}`);
  const random = randomOf(seed);
  const world = await World.make(t, { uploaders: 2, appendonly: true });
  const session = await world.startSession('random kills');
  const wanted = new Map<string, string>();
  const dropping = (async () => {
    for (let i = 0; i < FILES; i++) {
      const size = i % 10 === 0 ? Math.floor(random() * 24 * MIB) : Math.floor(random() * 200_000);
      wanted.set(`${session}/file ${i}`, world.drop(`file ${i}`, size, i + 1));
      await pause(30_000 / FILES);
    }
  })();
  const troubles = await makeTrouble(
    world,
    ['kill uploader', 'kill uploader', 'kill scanner', 'kill redis'],
    40_000,
    random,
  );
  await dropping;
  await world.done(FILES, 120_000);
  assert.deepEqual(new Map([...(await world.blobs())].sort()), new Map([...wanted].sort()));
  const status = await until(
    'nothing is under way',
    async () => {
      const now = await world.status();
      return now.queue.active + now.queue.waiting + now.queue.delayed === 0 ? now : null;
    },
    60_000,
  );
  assert.equal(status.processed_ok, FILES, 'each is counted once');
  assert.equal(status.processed_err, 0);
  await until(
    'staging and the volume are empty',
    () => world.staged().length + world.filesIn(world.volume).length === 0,
  );
  const kills = [...troubles.values()].reduce((sum, count) => sum + count, 0);
  seen(t, {
    fault: 'random kills for 40 s',
    injected: 'SIGKILL of uploaders, scanner and Redis (append-only), every 0.5 to 3 s',
    promised: 'all in the store, each counted once, none quarantined, staging empty',
    files: FILES,
    kills,
  });
});
