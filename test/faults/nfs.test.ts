import assert from 'node:assert/strict';
import { runInNfsLab, seen, test } from '../support/index.js';

test('the whole system over a real NFS 4.1: files move, a hang and stale handles lose nothing', async (t) => {
  const { code, output, reports } = await runInNfsLab('dist/test/faults/lab/system.js', { limitS: 280 });
  assert.equal(code, 0, output);
  const rows = reports.filter((row) => typeof row.fault === 'string');
  assert.equal(rows.length, 3);
  for (const row of rows) {
    seen(t, {
      fault: `NFS 4.1: ${String(row.fault)}`,
      injected: 'a kernel NFS server with two mounts, in a kernel of its own',
      promised: 'nothing lost, all goes on by itself',
      files: Number(row.files),
      goesOnAfterS: row.seconds_to_go_on === undefined ? undefined : Number(row.seconds_to_go_on),
    });
  }
});
