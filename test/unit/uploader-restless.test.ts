import assert from 'node:assert/strict';
import { restless } from '../../apps/uploader/restless.js';
import { test } from '../support/index.js';

const OUTCOME = { why: 'settling: it changed while it was uploaded', delayMs: 1000 };

test('from its fifth change in a row a file is named, with its path and what changed', () => {
  for (const settles of [0, 1, 4]) assert.equal(restless('/p/a', settles, ['inode'], OUTCOME), null);
  const often = restless('/p/a', 5, ['size', 'modification time'], OUTCOME);
  assert.equal(
    often?.sentence,
    '/p/a changed while it was in hand, 5 times in a row, last its size and modification time; it stays until it rests',
  );
  assert.equal(often?.why, `${OUTCOME.why}, 5 times in a row, last its size and modification time`);
});

test('such a file is looked at less often, but at least every 30 s, and never sooner than it may rest', () => {
  for (const settles of [5, 10, 1000]) {
    const { delayMs } = restless('/p/a', settles, ['inode'], OUTCOME)!;
    assert.ok(delayMs >= 1000 && delayMs <= 30_000, String(delayMs));
    assert.ok(settles < 1000 || delayMs >= 15_000, String(delayMs));
  }
  assert.equal(restless('/p/a', 1000, ['size'], { ...OUTCOME, delayMs: 60_000 })?.delayMs, 60_000);
});
