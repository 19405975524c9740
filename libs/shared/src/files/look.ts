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

/** A folder as one look at it showed. */
export interface FolderLook {
  /** The file system, by the number that this machine gave it. */
  readonly dev: bigint;
  readonly ino: bigint;
  /** When an entry last came or went, in nanoseconds since 1970; whoever may write to the folder can set it to any time. */
  readonly mtimeNs: bigint;
  /** As the modification time, but nobody can set it. */
  readonly ctimeNs: bigint;
}

/** Whether a folder is the same and nothing came into it or left it between two looks, as far as its times tell. */
export function isSameFolder(a: FolderLook, b: FolderLook): boolean {
  return a.dev === b.dev && a.ino === b.ino && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs;
}
