import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { jobId, Layout, type SidecarMode } from '@app/shared/domain';
import { Volume, VolumeClock, type StagedFile } from '@app/shared/files';
import type { Run, Tools } from '../../apps/uploader/run.js';
import {
  quarantineSidecars,
  releaseSidecars,
  removeLeftSidecars,
  removeSidecars,
} from '../../apps/uploader/steps/sidecar-ends.js';
import {
  ChecksumUnreadable,
  claimSidecars,
  compareDigests,
  readSidecars,
} from '../../apps/uploader/steps/sidecars.js';
import { test, type TestContext } from '../support/index.js';

const SESSION = { datePrefix: '20260131', encodedSession: 'sums' };
const FILE = Buffer.from('the file');
const SUM = createHash('sha256').update(FILE).digest('hex');

/** A volume of its own, and the run of one file, whose lock is surely held. */
function place(t: TestContext, filename: string, mode: SidecarMode = 'optional') {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-sums-'));
  const volume = new Volume({ threads: 1 });
  t.after(async () => {
    await volume.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const layout = new Layout({
    incoming: join(folder, 'incoming'),
    processing: join(folder, '.processing'),
    failed: join(folder, '.failed'),
  });
  const jobs = new Map<string, string>();
  const tools = {
    layout,
    volume,
    states: (ids: readonly string[]) => Promise.resolve(ids.map((id) => jobs.get(id) ?? 'missing')),
    rules: { sidecars: mode, minFileAgeMs: 0, pollIntervalMs: 1000 },
    clock: new VolumeClock(volume, layout.roots.processing, 0),
  } as unknown as Tools;
  const run = {
    session: SESSION,
    filename,
    first: false,
    payload: { sidecars: [], ino: null, size: null, mtimeNs: null },
    stillOwned: () => Promise.resolve(true),
    ownedUntil: { steady: Infinity, wall: Infinity },
  } as unknown as Run;
  const put = (path: string, text: string | Buffer) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  };
  mkdirSync(layout.roots.incoming);
  mkdirSync(layout.processingFolder(SESSION), { recursive: true });
  return { layout, tools, run, put, jobs };
}

test('a file that has a job of its own is neither claimed as a checksum, nor put back, removed or replaced', async (t) => {
  const { layout, tools, run, put, jobs } = place(t, 'x.bin');
  const sum = `${SUM}  x.bin\n`;
  const paths = [layout.incoming('x.bin.sha256'), layout.processing(SESSION, 'x.bin.sha256')] as const;
  for (const path of paths) put(path, sum);
  for (const state of ['queued', 'active', 'delayed']) {
    jobs.set(jobId('x.bin.sha256'), state);
    assert.deepEqual(await claimSidecars(run, { place: 'incoming', size: 8 }, tools), []);
    await removeSidecars(run, [{ algorithm: 'sha256', name: 'x.bin.sha256', digest: SUM }], tools);
    await removeLeftSidecars(run, tools);
    rmSync(paths[0]);
    await releaseSidecars(run, tools);
    put(paths[0], sum);
    await quarantineSidecars(run, tools);
    for (const path of paths) assert.equal(readFileSync(path, 'utf8'), sum, `${state}: ${path}`);
  }
  assert.equal(existsSync(layout.failed(SESSION, 'x.bin.sha256')), false);

  // its job is over: what is there now is the checksum of a file that is stored and gone
  jobs.set(jobId('x.bin.sha256'), 'completed');
  await removeLeftSidecars(run, tools);
  assert.equal(existsSync(paths[1]), false);
  put(paths[1], 'of no form that is known');
  await removeLeftSidecars(run, tools);
  assert.equal(existsSync(paths[1]), true, 'what nobody can read is not removed');
});

test('a file of its own that is quarantined under the name of a checksum stays, whatever becomes of the file beside it', async (t) => {
  const { layout, tools, run, put } = place(t, 'x.bin');
  const failed = layout.failed(SESSION, 'x.bin.sha256');
  const claimed = layout.processing(SESSION, 'x.bin.sha256');
  put(failed, 'another');
  put(layout.reasons(SESSION, 'x.bin.sha256')[0], '{}');
  put(claimed, SUM);
  await quarantineSidecars(run, tools);
  assert.equal(readFileSync(failed, 'utf8'), 'another');
  assert.equal(readFileSync(layout.incoming('x.bin.sha256'), 'utf8'), SUM, 'the checksum goes back');

  // retried: its checksum is the one that was dropped
  const names = await claimSidecars(run, { place: 'failed', size: 8 }, tools);
  assert.deepEqual(
    names?.map(({ name }) => name),
    ['x.bin.sha256'],
  );
  assert.deepEqual([readFileSync(claimed, 'utf8'), readFileSync(failed, 'utf8')], [SUM, 'another']);

  // without a reason it is the checksum of an earlier quarantine
  rmSync(layout.reasons(SESSION, 'x.bin.sha256')[0]);
  await quarantineSidecars(run, tools);
  assert.equal(readFileSync(failed, 'utf8'), SUM);
});

test('a name without room for that of a checksum has none, wherever its file goes; where one must be, that is said', async (t) => {
  for (const name of ['n'.repeat(250), 'n'.repeat(252)]) {
    const { tools, run } = place(t, name);
    for (const found of ['incoming', 'processing', 'failed'] as const)
      assert.deepEqual(await claimSidecars(run, { place: found, size: 8 }, tools), []);
    for (const end of [quarantineSidecars, releaseSidecars, removeLeftSidecars]) await end(run, tools);
  }
  const short = place(t, 'n'.repeat(250), 'required');
  assert.equal(
    await claimSidecars(short.run, { place: 'incoming', size: 8 }, short.tools),
    null,
    'its .md5 fits',
  );
  const long = place(t, 'n'.repeat(252), 'required');
  await assert.rejects(claimSidecars(long.run, { place: 'incoming', size: 8 }, long.tools), (error) => {
    assert.ok(error instanceof ChecksumUnreadable);
    return /no.* for its checksum; drop it under a shorter one/.test(error.message);
  });
});

test('a checksum that changes after its claim is no mismatch: the file settles and is compared anew', async (t) => {
  const { layout, tools, run, put } = place(t, 'x.bin');
  const claimed = layout.processing(SESSION, 'x.bin');
  put(claimed, FILE);
  put(`${claimed}.sha256`, '0'.repeat(64));
  const look = await tools.volume.lookAnew(claimed);
  const staged = { look, sha256: Buffer.from(SUM, 'hex'), md5: null } as unknown as StagedFile;
  const read = await readSidecars(run, [{ algorithm: 'sha256', name: 'x.bin.sha256' }], tools);
  await assert.rejects(compareDigests(run, staged, read, tools), { name: 'ChecksumMismatch' });
  put(`${claimed}.sha256`, SUM);
  const unsettled = await compareDigests(run, staged, read, tools);
  assert.match(unsettled?.outcome.why ?? '', /its checksum changed/);
  const again = await readSidecars(run, [{ algorithm: 'sha256', name: 'x.bin.sha256' }], tools);
  assert.equal(await compareDigests(run, staged, again, tools), null);
});
