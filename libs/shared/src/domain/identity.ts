import { createHash } from 'node:crypto';

/** What tells one file from another that has its name: all three must agree. */
export interface FileIdentity {
  /** Inode number. Reused by file systems once a file is gone, so never proof alone. */
  readonly ino: bigint;
  /** Bytes. */
  readonly size: number;
  /** Modification time in nanoseconds since 1970. */
  readonly mtimeNs: bigint;
}

/** What a directory entry is. */
export type FileKind = 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'device' | 'unknown';

/** A file as one look at it showed. */
export interface FileLook extends FileIdentity {
  readonly kind: FileKind;
  /** Change time of the inode in nanoseconds since 1970; a rename moves it on many file systems. */
  readonly ctimeNs: bigint;
}

/** What a look may find changed of a file. */
export type Difference = 'size' | 'modification time' | 'change time' | 'inode';

const DIFFERENCES = {
  size: 'size',
  mtimeNs: 'modification time',
  ctimeNs: 'change time',
  ino: 'inode',
} as const;

type Look = Partial<Omit<FileLook, 'kind'>>;

/** What two looks at a file differ in, of what both of them tell. */
export function differences(a: Look, b: Look): Difference[] {
  return (Object.keys(DIFFERENCES) as (keyof typeof DIFFERENCES)[])
    .filter((key) => a[key] !== undefined && b[key] !== undefined && a[key] !== b[key])
    .map((key) => DIFFERENCES[key]);
}

/**
 * What differs from each of three looks to the next. What differs once only may be a cache that learns what the server did.
 */
export function keepsChanging(...[a, b, c]: [Look, Look, Look]): Difference[] {
  const later = differences(b, c);
  return differences(a, b).filter((each) => later.includes(each));
}

/** Whether two looks saw the same unchanged file. */
export function sameFile(a: FileIdentity, b: FileIdentity): boolean {
  return a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs;
}

/** Whether the content seems untouched between two looks; the inode may differ (a copy, another mount). */
export function sameContent(
  a: Pick<FileIdentity, 'size' | 'mtimeNs'>,
  b: Pick<FileIdentity, 'size' | 'mtimeNs'>,
): boolean {
  return a.size === b.size && a.mtimeNs === b.mtimeNs;
}

/**
 * The key of a claim: blob name, inode, size and mtime in nanoseconds, read after the claim's rename, so that every
 * pod computes the same also without Redis. 32 hex digits.
 */
export function claimKey(blob: string, file: FileIdentity): string {
  return createHash('sha256')
    .update(`${blob}\n${file.ino}\n${file.size}\n${file.mtimeNs}`)
    .digest('hex')
    .slice(0, 32);
}
