import { lstatSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
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
 * @throws system errors as they come
 */
export function makeFolder(path: string): void {
  const made = unless(['ENOENT'], false, () => unless(['EEXIST'], true, () => (mkdirSync(path), true)));
  if (made) return;
  makeFolder(dirname(path));
  unless(['EEXIST'], undefined, () => mkdirSync(path));
}

/** Renames. @returns `missing` on ENOENT of either side */
export function rename(from: string, to: string): 'renamed' | 'missing' {
  return unless(['ENOENT'], 'missing', () => (renameSync(from, to), 'renamed' as const));
}

/**
 * What a rename onto a name that should be free came to. `taken`: an entry of this very name stands there; `namesake`: the
 * volume folds names, and what stands there has another one. Nothing was done then.
 */
export type Renamed = 'renamed' | 'missing' | 'taken' | 'namesake';

/** Renames onto a name that should be free. */
export function renameToFree(from: string, to: string): Renamed {
  const there = unless(['ENOENT', 'ENOTDIR'], undefined, () => lstatSync(to, { throwIfNoEntry: false }));
  if (!there) return rename(from, to);
  return isListed(to) ? 'taken' : 'namesake';
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
