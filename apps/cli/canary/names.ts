import { lstat, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { keepsChanging } from '@app/shared/domain';
import type { Row } from './checks.js';
import { CanaryFailure, type Meeting } from './meeting.js';

/** The longest of the names that Sluice needs whatever a file is called. */
const SHORT_NAME = 40;

/** Whether names are told apart by case and Unicode form; a volume that folds them is fit, and Sluice holds namesakes. */
export async function tellNames(meeting: Meeting): Promise<Row[]> {
  const folds: string[] = [];
  for (const [what, written, asked] of [
    ['case', 'names.aB', 'names.Ab'],
    ['Unicode form', 'names.\u00e9', 'names.e\u0301'],
  ] as const) {
    const end = `.${meeting.me}`;
    await writeFile(join(meeting.folder, written + end), what);
    const found = await lstat(join(meeting.folder, asked + end)).catch(() => null);
    if (found) folds.push(what);
  }
  const result = folds.length === 0 ? 'every name is its own' : `not told apart by ${folds.join(' and ')}`;
  return [{ check: 'case and Unicode form of names', result }];
}

/** Nothing of a file changes by a rename or a look, but the change time by a rename: else no source can be told from another. */
export async function renameKeepsFiles(meeting: Meeting): Promise<Row[]> {
  const [from, to] = [`kept-inode.${meeting.me}`, `renamed-inode.${meeting.me}`].map((name) =>
    join(meeting.folder, name),
  ) as [string, string];
  const look = async (path: string) => {
    const { ino, size, mtimeNs, ctimeNs } = await lstat(path, { bigint: true });
    return { ino, size: Number(size), mtimeNs, ctimeNs };
  };
  const lookRenamed = async (source: string, target: string) => {
    await rename(source, target);
    const { ino, size, mtimeNs } = await look(target);
    return { ino, size, mtimeNs };
  };
  await writeFile(from, 'inode');
  const looks = [await look(from), await look(from), await look(from)] as const;
  const looked = keepsChanging(...looks);
  if (looked.length > 0)
    throw new CanaryFailure(
      `the ${looked.join(' and ')} of a file changes although nobody touches it: no source could be proved and removed`,
    );
  const renamed = keepsChanging(looks[2], await lookRenamed(from, to), await lookRenamed(to, from));
  if (renamed.length > 0)
    throw new CanaryFailure(
      `a rename changes the ${renamed.join(' and ')} of a file: no source could be proved and removed`,
    );
  return [{ check: 'a renamed file stays itself', result: 'the same inode, size and modification time' }];
}

/** The longest name that the volume takes; Sluice's own short names need {@link SHORT_NAME} bytes. */
export async function measureNames(meeting: Meeting): Promise<Row[]> {
  let longest = 0;
  // a binary search: every name up to the limit fits, and none beyond
  for (let step = 128; step >= 1; step /= 2) {
    const path = join(meeting.folder, `${meeting.me}`.repeat(longest + step));
    if (await fits(path)) longest += step;
  }
  if (longest < SHORT_NAME)
    throw new CanaryFailure(`the volume takes names of at most ${longest} bytes; Sluice needs ${SHORT_NAME}`);
  return [{ check: 'longest name of a file', result: `${longest} bytes` }];
}

async function fits(path: string): Promise<boolean> {
  try {
    await writeFile(path, '');
    await unlink(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENAMETOOLONG') return false;
    throw error;
  }
}
