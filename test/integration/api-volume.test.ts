import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext, until } from '../support/index.js';
import { apiAlone } from './api-alone.js';

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'sluice-api-volume-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('the api tells which volume it has and how full that is, and needs none', async (t) => {
  const processing = folder(t);
  const api = await apiAlone(t, { APP_NFS_PROCESSING_ROOT: processing });
  const own = async () => (await api.ask('/v1/status')).body.pods[0];
  const before = await until('it reports itself', own);
  assert.deepEqual([before.role, before.volume, before.ready, before.problems], ['api', null, true, []]);
  writeFileSync(join(processing, '.sluice-volume'), JSON.stringify({ id: 'the-volume', created_at: 'x' }));
  const pod = await until('it sees the volume', async () => {
    const seen = await own();
    return seen.volume === 'the-volume' && seen;
  });
  assert.ok(pod.disk.volume.bytes_total >= pod.disk.volume.bytes_free);
  assert.equal(pod.disk.staging, null);
});

test('a volume that hangs holds up no request and no probe', async (t) => {
  const processing = folder(t);
  // whoever opens a FIFO that nobody writes to waits for ever
  execFileSync('mkfifo', [join(processing, '.sluice-volume')]);
  const api = await apiAlone(t, { APP_NFS_PROCESSING_ROOT: processing });
  await until('it reports itself', async () => (await api.ask('/v1/status')).body.pods.length === 1);
  for (const path of ['/healthz', '/readyz', '/metrics', '/v1/status', '/v1/files', '/v1/sessions'])
    assert.equal((await api.ask(path, { signal: AbortSignal.timeout(5_000) })).status, 200, path);
  assert.equal((await api.post('/v1/watch/start')).status, 200);
});
