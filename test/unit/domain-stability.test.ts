import assert from 'node:assert/strict';
import fc from 'fast-check';
import { decideStability as decide, type Observation } from '@app/shared/domain';
import { test } from '../support/index.js';

const T = Date.parse('2026-01-31T12:00:00Z');
const ns = (ms: number): bigint => BigInt(ms) * 1_000_000n;
const look = (size: number, mtimeMs: number, ctimeMs = mtimeMs) => ({
  size,
  mtimeNs: ns(mtimeMs),
  ctimeNs: ns(ctimeMs),
});
const rule = { minAgeMs: 5_000 };
/** A decision where the volume's clock is known and is right. */
const decideStability = (
  previous: Parameters<typeof decide>[0],
  current: Parameters<typeof decide>[1],
  now: number,
  by: Parameters<typeof decide>[3],
) => decide(previous, current, { steadyMs: now, volumeMs: now }, by);

test('a first look is never enough, however old the file is', () => {
  const verdict = decideStability(null, look(1, T - 1e9), T, rule);
  assert.equal(verdict.stable, false);
  assert.match(verdict.why, /^settling: first look/);
});

test('two looks that agree and the age are enough', () => {
  const first = decideStability(null, look(1, T - 9_000), T, rule);
  const second = decideStability(first.observation, look(1, T - 9_000), T + 2_000, rule);
  assert.equal(second.stable, true);
  assert.equal(second.waitMs, 0);
});

test('two looks that agree are not enough where they are too close to each other', () => {
  const apart = { ...rule, apartMs: 1_000 };
  const first = decideStability(null, look(1, T - 9_000), T, apart);
  const soon = decideStability(first.observation, look(1, T - 9_000), T + 999, apart);
  assert.deepEqual(
    [soon.stable, soon.why],
    [false, 'settling: unchanged, and looked at again a little later'],
  );
  assert.equal(decideStability(soon.observation, look(1, T - 9_000), T + 1_000, apart).stable, true);
});

test('size or mtime that changed begins anew, and the sentence says which', () => {
  const first = decideStability(null, look(1, T - 9_000), T, rule);
  assert.match(decideStability(first.observation, look(2, T - 9_000), T + 2_000, rule).why, /size changed/);
  assert.match(
    decideStability(first.observation, look(1, T - 8_000), T + 2_000, rule).why,
    /modification time changed/,
  );
});

test('the age counts from the later of mtime and ctime, unless the rename of a claim moved ctime', () => {
  const file = look(1, T - 90_000, T - 1_000);
  const seen = decideStability(null, file, T - 500, rule).observation;
  const verdict = decideStability(seen, file, T, rule);
  assert.equal(verdict.stable, false);
  assert.equal(verdict.waitMs, 4_000);
  assert.equal(decideStability(seen, file, T, { ...rule, useCtime: false }).stable, true);
});

test('times in the future count from the first look that saw the file unchanged', () => {
  const file = look(1, T + 3_600_000);
  let previous: Observation | null = null;
  for (const [at, stable] of [
    [0, false],
    [2_000, false],
    [4_999, false],
    [5_000, true],
  ] as const) {
    const verdict = decideStability(previous, file, T + at, rule);
    assert.equal(verdict.stable, stable, `after ${at} ms: ${verdict.why}`);
    previous = verdict.observation;
  }
  const grown = decideStability(previous, look(2, T + 3_600_000), T + 6_000, rule);
  assert.equal(grown.stable, false);
  assert.equal(decideStability(grown.observation, look(2, T + 3_600_000), T + 8_000, rule).stable, false);
});

test('a file that grows at every look never rests', () => {
  let previous: Observation | null = null;
  for (let i = 0; i < 50; i++) {
    // an mtime that a producer sets back must not help it
    const verdict = decideStability(previous, look(i, T - 1e7), T + i * 10_000, rule);
    assert.equal(verdict.stable, false);
    previous = verdict.observation;
  }
});

test('whatever happens, nothing rests before its age, before a second look, or after a change', () => {
  const step = fc.record({
    waitMs: fc.integer({ min: 0, max: 8_000 }),
    grows: fc.boolean(),
    touched: fc.boolean(),
    mtimeMs: fc.integer({ min: -20_000, max: 20_000 }),
  });
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 0, max: 10_000 }),
      (steps, minAgeMs) => {
        let [now, size, mtime] = [T, 0, T];
        let previous = null as Observation | null;
        let unchangedSince: number | null = null;
        for (const { waitMs, grows, touched, mtimeMs } of steps) {
          now += waitMs;
          if (grows) size += 1;
          if (touched) mtime = now + mtimeMs;
          if (grows || touched || unchangedSince === null) unchangedSince = now;
          const verdict = decideStability(previous, look(size, mtime), now, { minAgeMs });
          if (verdict.stable) {
            assert.deepEqual([previous?.size, previous?.mtimeNs], [size, ns(mtime)]);
            assert.ok(mtime > now ? now - unchangedSince >= minAgeMs : now - mtime >= minAgeMs);
          } else assert.match(verdict.why, /^settling: /);
          assert.ok(verdict.waitMs >= 0);
          previous = verdict.observation;
        }
        // left alone it comes to rest in the end
        const end = now + 100_000;
        const last = decideStability(previous, look(size, mtime), end, { minAgeMs });
        assert.equal(
          decideStability(last.observation, look(size, mtime), end + 1, { minAgeMs }).stable,
          true,
        );
      },
    ),
  );
});

test("ages go by the volume's clock, however far ours is from it", () => {
  for (const skewMs of [-3_600_000, -60_000, 60_000, 3_600_000]) {
    const at = (ms: number) => ({ steadyMs: T + skewMs + ms, volumeMs: T + ms });
    const file = look(1, T - 1_000);
    const first = decide(null, file, at(0), rule);
    assert.equal(first.waitMs, 4_000);
    assert.equal(decide(first.observation, file, at(3_999), rule).stable, false, `${skewMs} ms`);
    assert.equal(decide(first.observation, file, at(4_000), rule).stable, true, `${skewMs} ms`);
    // a backlog waits for its second look alone
    const old = decide(null, look(1, T - 90_000), at(0), rule);
    assert.equal(decide(old.observation, look(1, T - 90_000), at(10), rule).stable, true);
  }
});

test("where the volume's clock is not known a file must be seen unchanged for its age", () => {
  const at = (ms: number) => ({ steadyMs: T + ms, volumeMs: null });
  for (const mtime of [T - 1e9, T + 1e9, -1e15, 1e16]) {
    const first = decide(null, look(1, mtime), at(0), rule);
    const soon = decide(first.observation, look(1, mtime), at(4_999), rule);
    assert.equal(soon.stable, false);
    assert.match(soon.why, /the volume's clock is not known, so age counts from the first look/);
    assert.equal(decide(soon.observation, look(1, mtime), at(5_000), rule).stable, true);
  }
});

test('what was noted by the clock of the volume is not compared with that of a pod, which may be a minute ahead', () => {
  const file = look(1, T - 1_000);
  const byVolume = (ms: number) => ({ steadyMs: T + ms, volumeMs: T + ms, steadyOf: 'volume' });
  const byPod = (ms: number) => ({ steadyMs: T + 60_000 + ms, volumeMs: null, steadyOf: 'a pod' });
  const first = decide(null, file, byVolume(0), rule);
  const second = decide(first.observation, file, byPod(2_000), rule);
  assert.equal(second.stable, false, 'the clock of the volume was lost between the two looks');
  assert.equal(second.waitMs, 5_000);
  const anotherPod = { ...byPod(62_000), steadyOf: 'another pod' };
  assert.equal(decide(second.observation, file, anotherPod, rule).stable, false);
  assert.equal(decide(second.observation, file, byPod(6_999), rule).stable, false);
  assert.equal(decide(second.observation, file, byPod(7_000), rule).stable, true);
});
