import { lstatSync, mkdirSync, readdirSync, renameSync, statSync, type Stats } from 'node:fs';
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
  return standsAt(to) ?? renameOnto(from, to);
}

/**
 * The same for what is to be a file. A folder that has its name by now is its producer's, who may still write into it: it is
 * told by `directory`, and stays. The look costs NFS no round trip: the rename would look the name up.
 */
export function renameFileToFree(from: string, to: string): Renamed | 'directory' {
  return standsAt(to) ?? (lookAt(from)?.isDirectory() ? 'directory' : renameOnto(from, to));
}

function standsAt(path: string): 'taken' | 'folder' | 'namesake' | null {
  const there = lookAt(path);
  if (!there) return null;
  if (!isListed(path)) return 'namesake';
  return there.isDirectory() ? 'folder' : 'taken';
}

function lookAt(path: string): Stats | undefined {
  return unless(['ENOENT', 'ENOTDIR'], undefined, () => lstatSync(path, { throwIfNoEntry: false }));
}

function renameOnto(from: string, to: string): Renamed {
  // in between, or on the way, a folder may have come where no file is, or a file where a folder was
  return unless(['EISDIR', 'ENOTEMPTY', 'EEXIST'], 'folder', () =>
    unless(['ENOTDIR'], 'missing', () => rename(from, to)),
  );
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
