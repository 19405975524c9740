/**
 * Whose fault an error is, and so what follows:
 * - `outage`: the other side is away; wait, count nothing.
 * - `probe`: an outage only if the same kind of operation fails for a probe of our own too, else a fault of this file.
 * - `retry`: a fault of this attempt; count it.
 * - `quarantine`: this file is refused for good.
 */
export type Disposition = 'outage' | 'probe' | 'retry' | 'quarantine';

/** An error of the blob store, in our terms. `code` is the service's or the socket's, e.g. `ServerBusy`, `ECONNREFUSED`. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  constructor(
    readonly code: string,
    readonly disposition: Disposition,
    message: string,
    /** HTTP status; null where no answer came. */
    readonly status: number | null = null,
  ) {
    super(message);
  }
}

/** System errors that say something of one file and nothing of the volume. */
const OF_ONE_FILE: ReadonlySet<string> = new Set(['EISDIR', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'EFBIG']);

/** System errors that say that somebody may not do this: here, or nowhere on the volume. */
const REFUSED: ReadonlySet<string> = new Set(['EACCES', 'EPERM']);

/** An error of a call on the shared volume. `code` is the system's (`ESTALE`, `EIO`) or `ETIMEDOUT` past its deadline. */
export class VolumeError extends Error {
  override readonly name = 'VolumeError';
  readonly disposition: Disposition;
  constructor(
    readonly code: string,
    /** The operation, e.g. `rename`. */
    readonly operation: string,
    message: string,
  ) {
    super(message);
    this.disposition = REFUSED.has(code) ? 'probe' : OF_ONE_FILE.has(code) ? 'retry' : 'outage';
  }
}

/** `instead` for the error of a volume that finds a name too long: nothing has such a name. @throws any other error, as it came */
export function unlessTooLong<Value>(error: unknown, instead: Value): Value {
  if (error instanceof VolumeError && error.code === 'ENAMETOOLONG') return instead;
  throw error;
}

/** An error of the local staging disk; `ENOSPC` and the like. */
export class StagingError extends Error {
  override readonly name = 'StagingError';
  readonly disposition: Disposition = 'outage';
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** A file that no reservation can ever hold on this uploader. The message has the numbers. */
export class LargerThanStaging extends Error {
  override readonly name = 'LargerThanStaging';
}

/** The run was told to stop (shutdown, lost lock); nothing is wrong with the file. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/** The interruption of a run whose job's lock is another's now: it must change nothing any more. */
export function takenOver(): Interrupted {
  return new Interrupted('another uploader has taken this file over');
}

/** One line of text for any thrown value, never a stack and never an object dump. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ');
  if (error instanceof Error) return (error.message || error.name).split('\n')[0] ?? error.name;
  return String(error);
}

/** A reason is cut after so many characters: Entra ID adds traces and times. */
const REASON_LENGTH = 300;

/** What each credential of a chain said; the chain's own message says nothing of it. Of any other error its first line. */
export function reasonsOf(error: unknown): string {
  const { errors = [] } = Object(error) as { errors?: unknown[] };
  const each = errors.length > 0 ? errors : [error];
  return each.map((one) => messageOf(one).slice(0, REASON_LENGTH)).join('; ');
}

/** The `code` of a system or library error, or undefined. */
export function codeOf(error: unknown): string | undefined {
  const code: unknown =
    typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}
