import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, writeSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pause, pieceOf, seen, test, until, World } from '../../support/index.js';

const PRELOAD = `--require ${resolve(__dirname, '../../support/shifted-clock.js')}`;
/** Longer than the pauses of the producer below, also on a busy machine. */
const MIN_AGE_S = '8';
const PAUSE_MS = 2_500;

for (const [shiftMs, which] of [
  [60_000, 'behind'],
  [-60_000, 'ahead of'],
] as const)
  test(`the file server's clock is a minute ${which} the pods': a file that is still appended to is not taken`, async (t) => {
    const world = await World.make(t, {
      env: {
        NODE_OPTIONS: PRELOAD,
        TEST_CLOCK_SHIFT_MS: String(shiftMs),
        APP_MIN_FILE_AGE_S: MIN_AGE_S,
      },
    });
    const session = await world.startSession('clocks');
    const path = join(world.incoming, 'appended.bin');
    const file = openSync(path, 'a');
    const md5 = createHash('md5');
    for (let i = 0; i < 5; i++) {
      const piece = pieceOf(11, i, 1008);
      writeSync(file, piece);
      md5.update(piece);
      // the producer's own rhythm
      await pause(PAUSE_MS);
      assert.ok(existsSync(path), `it was taken after ${i + 1} pieces`);
    }
    closeSync(file);
    const { problems } = await world.status();
    assert.ok(
      // it is measured over the same volume as everything else
      problems.some((problem: string) =>
        new RegExp(`clock of the shared volume is (?:59|60|61)\\.\\d s ${which} this pod's`).test(problem),
      ),
      problems.join(),
    );
    await world.done(1);
    assert.deepEqual(await world.blobs(), new Map([[`${session}/appended.bin`, md5.digest('hex')]]));
    seen(t, {
      fault: `the file server's clock is a minute ${which} the pods'`,
      injected: 'processes whose clock is shifted by a preloaded module; a producer that pauses',
      promised: 'a file that is still written is not taken, and the difference is said',
      files: 1,
    });
  });

test('a file that changes after its claim settles by the clock of the file server', async (t) => {
  const world = await World.make(t, {
    proxy: true,
    env: { NODE_OPTIONS: PRELOAD, TEST_CLOCK_SHIFT_MS: '60000', APP_MIN_FILE_AGE_S: '4' },
  });
  const proxy = world.proxy!;
  const session = await world.startSession('settling');
  proxy.rules = [{ match: ({ method }) => method === 'PUT', fault: { kind: 'hold' } }];
  world.drop('grows.bin', 1000, 1);
  await until('it is on its way', () => proxy.holding === 1);
  const md5 = createHash('md5').update(pieceOf(1, 0, 1000));
  const claimed = join(world.processing, session, 'grows.bin');
  const file = openSync(claimed, 'a');
  writeSync(file, 'a');
  md5.update('a');
  proxy.release();
  await until('it settles', async () => /settling/.test((await world.api('/v1/files/grows.bin')).body.why));
  await pause(1_500);
  assert.ok(existsSync(claimed), 'it was taken while its producer paused');
  writeSync(file, 'b');
  md5.update('b');
  closeSync(file);
  await world.done(1);
  assert.deepEqual(await world.blobs(), new Map([[`${session}/grows.bin`, md5.digest('hex')]]));
  seen(t, {
    fault: "a claimed file grows, and the file server's clock is a minute behind",
    injected: 'processes whose clock is shifted by a preloaded module; two appends with a pause between',
    promised: 'it rests by the clock of the file server before it is sent',
    files: 1,
  });
});
