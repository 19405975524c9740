import { join } from 'node:path';
import { VolumeError } from '../domain/errors.js';
import type { FileLook } from '../domain/identity.js';
import type { FolderLook } from './look.js';
import { entriesOf, subjectOf, type Entry, type Slice } from './listing.js';
import type { Fault } from './serve.js';
import type { CallHooks, FileCall } from './calls.js';
import type { Renamed } from './folders.js';
import { Gather } from './gather.js';
import { Threads } from './threads.js';
import type { SetAside, Stamp, VolumeRequest } from './volume.worker.js';

/** Short calls that one message brings to a thread at most. */
const SHORT_TOGETHER = 16;

/** How the volume's threads are set up. */
export interface VolumeOptions {
  /** Calls at once; default 4. */
  readonly threads?: number;
  /** Milliseconds until a call is given up, from when it was asked for; default 30,000. */
  readonly deadlineMs?: number;
  /** Threads that may hang besides; default 8. */
  readonly maxHung?: number;
  readonly onCall?: (call: FileCall) => void;
}

/** Room on a file system. */
export interface Space {
  readonly bytesTotal: number;
  /** What an ordinary user may still write. */
  readonly bytesFree: number;
  /** 0 where the file system has no fixed number. */
  readonly inodesTotal: number;
  readonly inodesFree: number;
}

/**
 * Every call on the shared volume, by absolute paths. The calls run in threads of their own: NFS mounted hard hangs
 * any of them for minutes, and Node's own thread pool, which resolves DNS too, must not hang with it.
 *
 * All of them throw VolumeError with the system's code for whatever they do not name as an answer, ETIMEDOUT past
 * the deadline. A call that timed out may still take effect: look before repeating. After {@link stop} they throw
 * Interrupted.
 */
export class Volume {
  readonly #threads: Threads;
  readonly #gather: Gather;

  constructor(options: VolumeOptions = {}) {
    this.#threads = new Threads({
      file: join(__dirname, 'volume.worker.js'),
      threads: options.threads ?? 4,
      deadlineMs: options.deadlineMs ?? 30_000,
      maxHung: options.maxHung ?? 8,
      ...(options.onCall && { onCall: options.onCall }),
    });
    this.#gather = new Gather(this.#threads, SHORT_TOGETHER);
  }

  /** Calls asked for and not yet answered. */
  get inFlight(): number {
    return this.#threads.inFlight;
  }

  /** For how long the call that hangs longest has hung, milliseconds; 0 if none does. `now` in ms since 1970. */
  hungSinceMs(now: number): number {
    return this.#threads.hungSinceMs(now);
  }

  /** Ends the threads. @returns whether one still hangs; `process.exit` would then wait for it. May be repeated. */
  stop(): Promise<boolean> {
    return this.#threads.stop();
  }

  /** Looks at an entry, through the attribute cache. @returns null where there is none. */
  lstat(path: string): Promise<FileLook | null> {
    return this.#ask({ operation: 'lstat', path });
  }

  /**
   * Looks at an entry of exactly this name: a volume that folds names finds `Report.bin` for `report.bin`. An entry with the
   * inode `ino` is believed without listing its folder.
   *
   * @returns `namesake` where what is found has another name; null where there is nothing
   */
  lookExactly(path: string, ino: bigint | null): Promise<FileLook | 'namesake' | null> {
    return this.#ask({ operation: 'lookExactly', path, ino });
  }

  /** Looks at many entries of a folder in one call; an error of one does not spoil the others. */
  async lstatMany(folder: string, names: readonly string[]): Promise<(FileLook | null | VolumeError)[]> {
    if (names.length === 0) return [];
    return this.#askMany<FileLook>({ operation: 'lstatMany', path: folder, names }, 'lstat');
  }

  /**
   * Looks at many folders below one in one call, each past the caches of NFS as {@link lookAnew} does: a round trip each, and
   * nothing of what is in them. An error of one does not spoil the others.
   *
   * @param names paths below `folder`; an empty one is `folder` itself
   * @returns null where no folder is; a symlink to one is none
   */
  lookAtFolders(folder: string, names: readonly string[]): Promise<(FolderLook | null | VolumeError)[]> {
    return this.#askMany<FolderLook>({ operation: 'lookAtFolders', path: folder, names }, 'open');
  }

  /**
   * Looks at a file by opening it, which makes NFS fetch its attributes anew (close-to-open consistency, nfs(5)).
   * A symlink is not followed.
   *
   * @returns null where there is none.
   */
  lookAnew(path: string): Promise<FileLook | null> {
    return this.#askSoon({ operation: 'lookAnew', path });
  }

  /**
   * Streams a folder's entries, in no order, in slices of at most 1,024; the next ones wait while `onSlice` is busy.
   * The deadline counts from the last slice. Entries made or removed meanwhile may be there or not.
   *
   * @throws VolumeError ENOENT where the folder is missing; whatever `onSlice` throws, which ends the listing.
   */
  list(folder: string, onSlice: (entries: Entry[]) => void | Promise<void>): Promise<void> {
    return this.#ask(
      { operation: 'list', path: folder },
      { onProgress: (slice: Slice) => onSlice(entriesOf(slice)) },
    );
  }

  /**
   * Renames a file onto a name that only the caller can have made up (it would replace what is there), if it still is the
   * one that is expected, its change time included. Looks anew right before the rename and right after it.
   */
  setAside(from: string, to: string, expect: FileLook): Promise<SetAside> {
    return this.#askSoon({ operation: 'setAside', path: from, to, expect });
  }

  /**
   * Renames onto a name that should be free. NFS has no rename that refuses to replace, so the target is looked at right
   * before, in the same call: no wait of this process comes in between.
   *
   * @returns `missing` where either side is, or a folder on the way to it; `taken` where an entry of this very name stands
   * at the target, `folder` where that is a folder, `namesake` where the volume folds names and finds one of another: then
   * nothing was done.
   */
  renameToFree(from: string, to: string): Promise<Renamed> {
    return this.#ask({ operation: 'renameToFree', path: from, to });
  }

  /** The same for what is to be a file. @returns also `directory` where that has its name by now: then nothing was done */
  renameFileToFree(from: string, to: string): Promise<Renamed | 'directory'> {
    return this.#ask({ operation: 'renameFileToFree', path: from, to });
  }

  /** Removes a file's name. @returns false where there was none. */
  unlink(path: string): Promise<boolean> {
    return this.#askSoon({ operation: 'unlink', path });
  }

  /** Makes a folder and those above it; fine where it is there. @throws VolumeError ENOTDIR where a file has such a name */
  makeFolder(path: string): Promise<void> {
    return this.#ask({ operation: 'makeFolder', path });
  }

  /** Removes a folder if it is empty. @returns false where it is not, is gone, or is no folder. */
  removeEmptyFolder(path: string): Promise<boolean> {
    return this.#ask({ operation: 'removeEmptyFolder', path });
  }

  /** Removes a folder if it is empty and looks as it did: looked at right before. @returns whether it did */
  removeOldFolder(path: string, expect: FolderLook): Promise<boolean> {
    return this.#ask({ operation: 'removeOldFolder', path, expect });
  }

  /** Reads a small text. @returns null where there is none. @throws VolumeError EFBIG over `maxBytes`. */
  readText(path: string, maxBytes = 65_536): Promise<string | null> {
    return this.#ask({ operation: 'readText', path, maxBytes });
  }

  /** Writes a small text, whole or not at all, over what is there; on disk when it returns. May be repeated. */
  writeText(path: string, text: string): Promise<void> {
    return this.#ask({ operation: 'writeText', path, text });
  }

  /** Writes a small text whole where there is none; never replaces. @returns whether this call made it. */
  createText(path: string, text: string): Promise<boolean> {
    return this.#ask({ operation: 'createText', path, text });
  }

  /** Writes a small file where there is none, reads the times that the server gave it, and removes it. */
  stamp(path: string): Promise<Stamp> {
    return this.#ask({ operation: 'stamp', path });
  }

  /** The room on the file system of a path. */
  space(path: string): Promise<Space> {
    return this.#ask({ operation: 'space', path });
  }

  async #askMany<Look extends FileLook | FolderLook>(
    request: VolumeRequest & { readonly names: readonly string[] },
    operation: string,
  ): Promise<(Look | null | VolumeError)[]> {
    const looks = await this.#ask<(Look | null | Fault)[]>(request);
    return looks.map((look, index) => {
      if (look === null || 'ino' in look) return look;
      const subject = request.names[index] || subjectOf(request.path);
      return new VolumeError(look.code, operation, `${operation} of ${subject} failed: ${look.code}`);
    });
  }

  #askSoon<Value>(request: VolumeRequest): Promise<Value> {
    return this.#gather.run(request.operation, subjectOf(request.path), request);
  }

  #ask<Value>(request: VolumeRequest, hooks: CallHooks = {}): Promise<Value> {
    return this.#threads.run(request.operation, subjectOf(request.path), request, hooks);
  }
}
