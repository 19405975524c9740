import * as fs from 'node:fs';
import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { codeOf } from '../domain/errors.js';
import { sameFile, type FileLook } from '../domain/identity.js';
import { isListed, makeFolder, rename, renameFileToFree, renameToFree, unless } from './folders.js';
import { list } from './listing.js';
import { isSameFolder, lookOf, type FolderLook } from './look.js';
import { steadyMs } from './moment.js';
import { faultOf, serve, type Fault, type Served } from './serve.js';

/** One call on the volume. */
export type VolumeRequest =
  | {
      readonly operation: 'lstat' | 'lookAnew' | 'list' | 'unlink' | 'space' | 'stamp';
      readonly path: string;
    }
  | { readonly operation: 'makeFolder' | 'removeEmptyFolder'; readonly path: string }
  | { readonly operation: 'lookExactly'; readonly path: string; readonly ino: bigint | null }
  | {
      readonly operation: 'lstatMany' | 'lookAtFolders';
      readonly path: string;
      readonly names: readonly string[];
    }
  | { readonly operation: 'removeOldFolder'; readonly path: string; readonly expect: FolderLook }
  | { readonly operation: 'renameToFree' | 'renameFileToFree'; readonly path: string; readonly to: string }
  | {
      readonly operation: 'setAside';
      readonly path: string;
      readonly to: string;
      readonly expect: FileLook;
    }
  | { readonly operation: 'readText'; readonly path: string; readonly maxBytes: number }
  | { readonly operation: 'writeText' | 'createText'; readonly path: string; readonly text: string };

/** The times that the volume's server gave a file that was just written; `at` by the steady clock, right after. */
export interface Stamp {
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  /** Milliseconds. */
  readonly at: number;
}

/** What came of setting a file aside. */
export type SetAside =
  /** It stands under the new name, as it was expected. */
  | { readonly kind: 'aside' }
  /** It is another file, or was changed: nothing was done, or (`aside`) the change came with the rename itself. */
  | { readonly kind: 'changed'; readonly look: FileLook; readonly aside: boolean }
  | { readonly kind: 'missing' };

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_DIRECTORY } = fs.constants;
const GONE = ['ENOENT', 'ENOTDIR'];

// every call is synchronous on purpose: what hangs hangs this thread alone, never Node's own thread pool
serve((request: VolumeRequest, call: Served) => {
  const { path } = request;
  switch (request.operation) {
    case 'lstat':
      return lstat(path);
    case 'lstatMany':
      return request.names.map((name) => orFault(() => lstat(join(path, name))));
    case 'lookAtFolders':
      return request.names.map((name) => orFault(() => lookAtFolder(join(path, name))));
    case 'removeOldFolder':
      return removeOldFolder(path, request.expect);
    case 'lookAnew':
      return lookAnew(path);
    case 'lookExactly':
      return lookExactly(path, request.ino);
    case 'list':
      return list(path, call);
    case 'setAside':
      return setAside(path, request.to, request.expect);
    case 'renameToFree':
      return renameToFree(path, request.to);
    case 'renameFileToFree':
      return renameFileToFree(path, request.to);
    case 'unlink':
      return unless(GONE, false, () => (fs.unlinkSync(path), true));
    case 'makeFolder':
      return makeFolder(path);
    case 'removeEmptyFolder':
      return removeEmptyFolder(path);
    case 'readText':
      return unless(GONE, null, () => readText(path, request.maxBytes));
    case 'writeText':
      return writeText(path, request.text);
    case 'createText':
      return createText(path, request.text);
    case 'space':
      return space(path);
    case 'stamp':
      return stamp(path);
  }
});

function setAside(from: string, to: string, expect: FileLook): SetAside {
  const before = lookAnew(from);
  if (before === null) return { kind: 'missing' };
  // the change time tells of a content whose mtime was put back; a rename moves it, so it is compared before
  if (!sameFile(before, expect) || before.ctimeNs !== expect.ctimeNs)
    return { kind: 'changed', look: before, aside: false };
  rename(from, to);
  // the look decides: NFS answers ENOENT also after a rename that happened
  const after = lookAnew(to);
  if (after === null) return { kind: 'missing' };
  return sameFile(after, expect) ? { kind: 'aside' } : { kind: 'changed', look: after, aside: true };
}

function lstat(path: string): FileLook | null {
  const stat = unless(GONE, null, () => fs.lstatSync(path, { bigint: true, throwIfNoEntry: false }));
  return stat ? lookOf(stat) : null;
}

function lookExactly(path: string, ino: bigint | null): FileLook | 'namesake' | null {
  const look = lstat(path);
  // listing the folder is for the rare case that the inode does not tell
  return look === null || look.ino === ino || isListed(path) ? look : 'namesake';
}

function orFault<Value>(work: () => Value): Value | Fault {
  try {
    return work();
  } catch (error) {
    return faultOf(error);
  }
}

function lookAnew(path: string): FileLook | null {
  let descriptor: number;
  try {
    descriptor = fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    const code = codeOf(error) ?? '';
    if (GONE.includes(code)) return null;
    // a symlink or a socket cannot be opened like this, but can be looked at
    if (code === 'ELOOP' || code === 'ENXIO') return lstat(path);
    throw error;
  }
  try {
    return lookOf(fs.fstatSync(descriptor, { bigint: true }));
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Opens the folder, which makes NFS fetch its times anew; a symlink to one is none. */
function lookAtFolder(path: string): FolderLook | null {
  const descriptor = unless([...GONE, 'ELOOP'], null, () =>
    fs.openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK),
  );
  if (descriptor === null) return null;
  try {
    const { dev, ino, mtimeNs, ctimeNs } = fs.fstatSync(descriptor, { bigint: true });
    return { dev, ino, mtimeNs, ctimeNs };
  } finally {
    fs.closeSync(descriptor);
  }
}

function removeEmptyFolder(path: string): boolean {
  return unless(['ENOTEMPTY', 'EEXIST', ...GONE], false, () => (fs.rmdirSync(path), true));
}

function removeOldFolder(path: string, expect: FolderLook): boolean {
  const look = lookAtFolder(path);
  return look !== null && isSameFolder(look, expect) && removeEmptyFolder(path);
}

function readText(path: string, maxBytes: number): string {
  const descriptor = fs.openSync(path, O_RDONLY | O_NOFOLLOW);
  try {
    const bytes = Buffer.alloc(maxBytes + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read)
      read = fs.readSync(descriptor, bytes, length, bytes.length - length, null);
    if (length > maxBytes) throw Object.assign(new Error(`over ${maxBytes} bytes`), { code: 'EFBIG' });
    return bytes.toString('utf8', 0, length);
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Writes a text under a dot name of its own beside `path`, on disk when this returns. */
function writeBeside(path: string, text: string): string {
  const beside = join(dirname(path), `.sluice-tmp-${process.pid}-${randomBytes(6).toString('hex')}`);
  try {
    fs.writeFileSync(beside, text, { flag: 'wx', flush: true });
  } catch (error) {
    discard(beside);
    throw error;
  }
  return beside;
}

function discard(path: string): void {
  try {
    fs.unlinkSync(path);
  } catch {
    // the error that led here says more
  }
}

function writeText(path: string, text: string): void {
  const beside = writeBeside(path, text);
  try {
    fs.renameSync(beside, path);
  } catch (error) {
    discard(beside);
    throw error;
  }
}

function createText(path: string, text: string): boolean {
  const beside = writeBeside(path, text);
  try {
    fs.linkSync(beside, path);
    return true;
  } catch (error) {
    const code = codeOf(error) ?? '';
    // NFS may repeat a link that was made: then the name is there, and is this very file
    if (code === 'EEXIST') return lstat(path)?.ino === lstat(beside)?.ino;
    if (!['EPERM', 'ENOSYS', 'EOPNOTSUPP', 'ENOTSUP', 'EMLINK'].includes(code)) throw error;
    return unless(['EEXIST'], false, () => (fs.writeFileSync(path, text, { flag: 'wx', flush: true }), true));
  } finally {
    discard(beside);
  }
}

function stamp(path: string): Stamp {
  const descriptor = fs.openSync(path, 'wx', 0o600);
  try {
    fs.writeSync(descriptor, 'sluice');
    // what is only in a cache of this client is stamped by this client
    fs.fsyncSync(descriptor);
    const { mtimeNs, ctimeNs } = fs.fstatSync(descriptor, { bigint: true });
    return { mtimeNs, ctimeNs, at: steadyMs() };
  } finally {
    fs.closeSync(descriptor);
    discard(path);
  }
}

function space(path: string): Record<'bytesTotal' | 'bytesFree' | 'inodesTotal' | 'inodesFree', number> {
  const { bsize, blocks, bavail, files, ffree } = fs.statfsSync(path);
  return { bytesTotal: blocks * bsize, bytesFree: bavail * bsize, inodesTotal: files, inodesFree: ffree };
}
