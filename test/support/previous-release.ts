import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The last release that wrote format 1; see test/releases/README.md. */
const RELEASE = '0.1';
const PROJECT = resolve(__dirname, '../../..');

/**
 * Builds the previous release from its sources, once in a checkout.
 *
 * @returns its folder, with `dist` in it
 */
export function previousRelease(): string {
  const folder = join(PROJECT, 'artifacts/previous-release', RELEASE);
  if (existsSync(folder)) return folder;
  const making = `${folder}-${process.pid}`;
  mkdirSync(making, { recursive: true });
  execFileSync('tar', ['-xzf', join(PROJECT, `test/releases/${RELEASE}.tar.gz`), '-C', making]);
  symlinkSync(join(PROJECT, 'node_modules'), join(making, 'node_modules'));
  // without its tests
  const settings = {
    extends: './tsconfig.json',
    compilerOptions: { incremental: false },
    include: ['apps', 'libs'],
  };
  writeFileSync(join(making, 'tsconfig.build.json'), JSON.stringify(settings));
  execFileSync(process.execPath, [join(PROJECT, 'node_modules/@nestjs/cli/bin/nest.js'), 'build', 'api'], {
    cwd: making,
    stdio: 'pipe',
  });
  renameSync(making, folder);
  return folder;
}
