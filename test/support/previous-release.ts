import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The last commit that wrote format 1, as release 0.1 does. */
const COMMIT = 'f9792bcaffa12569ad967722ac24f82df9d88e7f';
const PROJECT = resolve(__dirname, '../../..');

/**
 * Builds the previous release from the history, once in a checkout.
 *
 * @returns its folder, with `dist` in it
 * @throws Error where the history does not reach back to it, as in a shallow clone
 */
export function previousRelease(): string {
  const folder = join(PROJECT, 'artifacts/previous-release', COMMIT);
  if (existsSync(folder)) return folder;
  const making = `${folder}-${process.pid}`;
  mkdirSync(making, { recursive: true });
  try {
    execFileSync('bash', ['-o', 'pipefail', '-c', `git archive ${COMMIT} | tar -x -C '${making}'`], {
      cwd: PROJECT,
    });
  } catch (error) {
    rmSync(making, { recursive: true });
    throw new Error(`the history does not reach back to ${COMMIT}: git fetch --unshallow`, { cause: error });
  }
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
