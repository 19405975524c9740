import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Child, type TestContext, until } from '../../support/index.js';

const SCRIPT = resolve(__dirname, '../../../../test/faults/lab/strange-volume.py');

/**
 * Mounts a volume that is no plain POSIX one; its options stand in strange-volume.py. Ends with the test.
 *
 * @returns where it is mounted
 */
export async function strangeVolume(t: TestContext, ...options: string[]): Promise<string> {
  const base = mkdtempSync(join(tmpdir(), 'sluice-strange-'));
  const [below, mounted] = [join(base, 'below'), join(base, 'mounted')];
  for (const folder of [below, mounted]) mkdirSync(folder);
  // the system's Python, which has the system's packages
  const child = new Child('/usr/bin/python3', [SCRIPT, below, mounted, ...options], {
    PATH: process.env.PATH ?? '',
  });
  t.after(async () => {
    await child.kill();
    try {
      execFileSync('umount', ['-l', mounted], { stdio: 'ignore' });
    } catch {
      // it never was mounted; what the test says tells why
    }
    rmSync(base, { recursive: true, force: true });
  });
  await until('the volume is mounted', () => {
    if (execFileSync('stat', ['-f', '-c', '%T', mounted], { encoding: 'utf8' }).includes('fuse')) return true;
    throw new Error(child.stderr);
  });
  return mounted;
}
