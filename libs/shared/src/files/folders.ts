import { lstatSync, mkdirSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
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

/** Renames onto a name that should be free. @returns `taken` where something stands there: then nothing was done */
export function renameToFree(from: string, to: string): 'renamed' | 'missing' | 'taken' {
  const there = unless(['ENOENT', 'ENOTDIR'], undefined, () => lstatSync(to, { throwIfNoEntry: false }));
  return there ? 'taken' : rename(from, to);
}
