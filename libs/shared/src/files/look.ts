import type { BigIntStats } from 'node:fs';
import type { FileKind, FileLook } from '../domain/identity.js';

interface Typed {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
  isFIFO(): boolean;
  isSocket(): boolean;
  isBlockDevice(): boolean;
  isCharacterDevice(): boolean;
}

/** What a stat or a directory entry says the file is; `unknown` where the file system does not tell. */
export function kindOf(typed: Typed): FileKind {
  if (typed.isFile()) return 'file';
  if (typed.isDirectory()) return 'directory';
  if (typed.isSymbolicLink()) return 'symlink';
  if (typed.isFIFO()) return 'fifo';
  if (typed.isSocket()) return 'socket';
  if (typed.isBlockDevice() || typed.isCharacterDevice()) return 'device';
  return 'unknown';
}

/** A stat in the project's terms. */
export function lookOf(stat: BigIntStats): FileLook {
  return {
    kind: kindOf(stat),
    ino: stat.ino,
    size: Number(stat.size),
    mtimeNs: stat.mtimeNs,
    ctimeNs: stat.ctimeNs,
  };
}
