import assert from 'node:assert/strict';
import { stillProblems } from '../../apps/uploader/still.js';
import { test } from '../support/index.js';

test('what stands still is said with whom it waits for; a slow link is no silence', () => {
  const files = [
    { filename: 'a.bin', step: 'uploading', ms: 31_000 },
    { filename: 'b.bin', step: 'verifying', ms: 95_500 },
    { filename: 'c.bin', step: 'uploading', ms: 29_999 },
    { filename: 'd\n.bin', step: 'removing', ms: 30_000 },
  ] as const;
  const ofVolume =
    'no byte has moved for 30 s: 1 file waits for the shared volume, the first is "d\\n.bin" (removing)';
  assert.deepEqual(stillProblems(files, true), [
    'no byte has moved for 95 s: 2 files wait for the store, the first is "b.bin" (verifying)',
    ofVolume,
  ]);
  assert.deepEqual(stillProblems(files, false), [ofVolume]);
  assert.deepEqual(stillProblems([], true), []);
});
