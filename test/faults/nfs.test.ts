import assert from 'node:assert/strict';
import test from 'node:test';
import { runInNfsLab } from '../support/index.js';

test('the whole system over a real NFS 4.1: files move, a hang and stale handles lose nothing', async (t) => {
  const { code, output, reports } = await runInNfsLab('dist/test/faults/lab/system.js', { limitS: 280 });
  for (const seen of reports) if ('fault' in seen) t.diagnostic(JSON.stringify(seen));
  assert.equal(code, 0, output);
  assert.equal(reports.filter((seen) => 'fault' in seen).length, 3);
});
