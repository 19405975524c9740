import assert from 'node:assert/strict';
import test from 'node:test';
import { runInNfsLab } from '../support/index.js';

test('a file moves over a real NFS 4.1 from one mount to the other and into the store', async () => {
  const { code, output } = await runInNfsLab('dist/test/faults/lab/first-file.js');
  assert.equal(code, 0, output);
});
