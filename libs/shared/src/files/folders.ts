import { lstatSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { codeOf } from '../domain/errors.js';

/** What `work` gives, or `instead` where it fails with one of the system's `codes`. */
export function unless<A, B>(codes: readonly string[], instead: A, work: () => B): A | B {
  try {
    return work();
  } catch (error) {
    if (codes.includes(codeOf(error) ?? '')) return instead;
    throw error;
  }
}

/**
 * Makes a folder and those above it; safe to repeat. Node's own recursive mkdir never ends where a folder that is
 * there answers ENOENT, as /proc and broken mounts do.
 *
 * @throws system errors as they come; ENOTDIR also where a file has the folder's own name
 */
export function makeFolder(path: string): void {
  const made = unless(['ENOENT'], false, () => (makeOne(path), true));
  if (made) return;
  makeFolder(dirname(path));
  makeOne(path);
}

function makeOne(path: string): void {
  if (unless(['EEXIST'], false, () => (mkdirSync(path), true))) return;
  const there = statSync(path, { throwIfNoEntry: false });
  if (there && !there.isDirectory())
    throw Object.assign(new Error(`ENOTDIR: a file has the name of the folder ${path}`), { code: 'ENOTDIR' });
}

/** Renames. @returns `missing` on ENOENT of either side */
export function rename(from: string, to: string): 'renamed' | 'missing' {
  return unless(['ENOENT'], 'missing', () => (renameSync(from, to), 'renamed' as const));
}

/**
 * What a rename onto a name that should be free came to. `taken`: an entry of this very name stands there; `folder`: a
 * folder of this very name, which other files may be in; `namesake`: the volume folds names, and what stands there has
 * another one. Nothing was done then.
 */
export type Renamed = 'renamed' | 'missing' | 'taken' | 'folder' | 'namesake';

/** Renames onto a name that should be free. */
export function renameToFree(from: string, to: string): Renamed {
  const there = unless(['ENOENT', 'ENOTDIR'], undefined, () => lstatSync(to, { throwIfNoEntry: false }));
  if (!there)
    // in between, or on the way, a folder may have come where no file is, or a file where a folder was
    return unless(['EISDIR', 'ENOTEMPTY', 'EEXIST'], 'folder', () =>
      unless(['ENOTDIR'], 'missing', () => rename(from, to)),
    );
  if (!isListed(to)) return 'namesake';
  return there.isDirectory() ? 'folder' : 'taken';
}

/**
 * Whether a folder lists an entry of this very name. A look-up proves less: on a volume that folds names (SMB, ext4 with
 * casefold, ZFS) it finds `Report.bin` for `report.bin`.
 */
export function isListed(path: string): boolean {
  const name = Buffer.from(basename(path));
  const names = unless(['ENOENT', 'ENOTDIR'], [], () => readdirSync(dirname(path), { encoding: 'buffer' }));
  return names.some((listed) => name.equals(listed));
}
