import * as fs from 'node:fs';
import type { FileDigests } from './digests.js';
import { PIECE } from './hash-memory.js';
import { Cancelled, StepFault, type Served } from './serve.js';

/** A sign of life is sent after so many bytes, or so many milliseconds. */
const TELL_EVERY = 8 * 1024 * 1024;
const TELL_EVERY_MS = 200;
/**
 * A sync is begun after so many bytes, and goes on while the next ones are copied: no sync outlasts the deadline, and the
 * disk is at work all the time, not only at the end of a file.
 */
const SYNC_EVERY = 32 * 1024 * 1024;

/**
 * Copies a file in one pass: while one piece is hashed and written, the next is read. The last bytes are not synced yet.
 *
 * @param source descriptor of a file of `size` bytes; reads of it are synchronous, and hang this thread if they hang
 * @param target descriptor of the copy
 * @param buffers two, of {@link PIECE} bytes each; a file of one piece stands in the first one afterwards
 * @returns bytes read: fewer or more than `size` where the file changed meanwhile
 * @throws Cancelled; StepFault for the local disk; system errors of the source
 */
export async function copyBytes(
  source: number,
  target: number,
  size: number,
  buffers: readonly Buffer[],
  digests: FileDigests,
  call: Served,
): Promise<number> {
  let [at, synced] = [0, 0];
  let told = { at: 0, when: performance.now() };
  let [writing, syncing] = [Promise.resolve(), Promise.resolve()];
  try {
    // what was appended since the look is noticed, and not copied without end
    for (let turn = 0; at <= size; turn++) {
      const buffer = buffers[turn % 2] ?? Buffer.alloc(PIECE);
      const read = readAllSync(source, buffer, at);
      if (read === 0) break;
      const piece = buffer.subarray(0, read);
      digests.settle();
      digests.update(piece);
      await writing;
      if (call.cancelled) throw new Cancelled();
      if (turn === 0 && read === size) {
        local('write', () => writeAllSync(target, piece));
        return size;
      }
      if (at - synced >= SYNC_EVERY) {
        await syncing;
        syncing = sync(target);
        syncing.catch(() => undefined);
        synced = at;
      }
      writing = writeAll(target, piece, at);
      // awaited in a later turn; without a handler until then Node would call it unhandled
      writing.catch(() => undefined);
      at += read;
      if (at - told.at >= TELL_EVERY || performance.now() - told.when >= TELL_EVERY_MS) {
        told = { at, when: performance.now() };
        call.progress(at);
      }
    }
    await writing;
    await syncing;
    return at;
  } finally {
    // a write still under way would go to whatever file gets this descriptor's number next
    await Promise.allSettled([writing, syncing]);
  }
}

/** Fills the buffer, short of the file's end: a read may bring less than it was asked for. @returns bytes read */
function readAllSync(descriptor: number, buffer: Buffer, position: number): number {
  let at = 0;
  while (at < buffer.length) {
    const read = fs.readSync(descriptor, buffer, at, buffer.length - at, position + at);
    if (read === 0) break;
    at += read;
  }
  return at;
}

function writeAllSync(descriptor: number, piece: Buffer): void {
  for (let at = 0; at < piece.length;) at += fs.writeSync(descriptor, piece, at, piece.length - at, at);
}

function writeAll(descriptor: number, piece: Buffer, position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const next = (at: number): void => {
      if (at === piece.length) return resolve();
      fs.write(descriptor, piece, at, piece.length - at, position + at, (error, written) =>
        error ? reject(new StepFault('staging', 'write', error)) : next(at + written),
      );
    };
    next(0);
  });
}

function sync(descriptor: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.fdatasync(descriptor, (error) =>
      error ? reject(new StepFault('staging', 'fdatasync', error)) : resolve(),
    );
  });
}

/** Does a step on the local disk. @throws StepFault for its errors */
export function local<T>(operation: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new StepFault('staging', operation, error);
  }
}
