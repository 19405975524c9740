import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Layout } from '@app/shared/domain';
import { Volume } from '@app/shared/files';
import { KeptFiles } from '../../apps/scanner/kept-files.js';
import type { ScannerParts } from '../../apps/scanner/parts.js';
import { test, until } from '../support/index.js';
import { ScannerAlone } from './scanner-alone.js';

/** Lets nothing in a folder be made or removed, nor the folder itself; by root neither. */
function lock(path: string): void {
  mkdirSync(path, { recursive: true });
  if (process.getuid?.() === 0) return void execFileSync('chattr', ['+i', path]);
  chmodSync(path, 0o555);
  chmodSync(dirname(path), 0o555);
}

function unlock(path: string): void {
  if (process.getuid?.() === 0) return void execFileSync('chattr', ['-i', path]);
  chmodSync(dirname(path), 0o755);
  chmodSync(path, 0o755);
}

test('where room is short all kept files go in one pass, but for those that may not be touched, which problems name', async (t) => {
  const alone = await ScannerAlone.make(t, { APP_KEEP_DONE_S: '3600', APP_KEEP_DONE_FREE: '8P' });
  const done = join(alone.folder, 'nfs/.done');
  const [empty, holds] = [join(done, '20260101/empty'), join(done, '20260102/one')];
  alone.put(join(holds, 'stays.bin'));
  const files = 2_500;
  for (let i = 0; i < files; i++) alone.put(join(done, `20260103/two/${i}.bin`), 'x');
  for (const path of [empty, holds]) lock(path);
  try {
    const app = await alone.start({ APP_NFS_DONE_ROOT: done });
    await app.ready();
    await until('the others are gone, and their folders', () => !existsSync(join(done, '20260103')));
    assert.match(app.stdout, new RegExp(`removed ${files} kept files`));
    await alone.problem(new RegExp(`^${empty} may not be touched`));
    await alone.problem(new RegExp(`^${holds} may not be touched`));
    assert.ok(existsSync(join(holds, 'stays.bin')));
  } finally {
    for (const path of [empty, holds]) unlock(path);
  }
});

test("a pass that does not know the volume's clock puts off no later one", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-kept-'));
  const volume = new Volume({ threads: 1 });
  t.after(async () => {
    await volume.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const roots = { incoming: 'incoming', processing: '.processing', failed: '.failed', done: '.done' };
  for (const [role, name] of Object.entries(roots)) {
    Object.assign(roots, { [role]: join(folder, name) });
    mkdirSync(join(folder, name));
  }
  const file = join(roots.done, '20260101/one/old.bin');
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, 'old');
  let volumeMs: number | null = null;
  let asked = 0;
  const clock = { now: () => ((asked += 1), { steadyMs: 0, volumeMs }) };
  const log = { info: () => undefined, warn: () => undefined };
  const parts = { volume, layout: new Layout(roots), clock, log, leads: () => true };
  const kept = new KeptFiles(
    parts as unknown as ScannerParts,
    roots.done,
    { ms: 100_000, freeBytes: 0 },
    () => true,
  );
  kept.start();
  t.after(() => kept.stop());
  await until('a pass asked for the clock', () => asked > 1);
  assert.ok(existsSync(file), 'of unknown age');
  volumeMs = Date.now() + 200_000;
  await until('it is gone', () => !existsSync(file));
});
