import type { Worker } from 'node:worker_threads';
import { StagingError, VolumeError } from '../domain/errors.js';
import type { Fault, ToThread } from './serve.js';

/** One finished call, for metrics. */
export interface FileCall {
  readonly operation: string;
  /** Milliseconds from when it was asked for. */
  readonly ms: number;
  /** The error's code; null where it went well. */
  readonly error: string | null;
}

/** How a pool of threads is set up. */
export interface ThreadsOptions {
  /** The compiled file that each thread runs. */
  readonly file: string;
  /** Calls at once. */
  readonly threads: number;
  /** Milliseconds without a sign of life after which a call is given up. */
  readonly deadlineMs: number;
  /** Threads that may hang besides the `threads` that work. */
  readonly maxHung: number;
  readonly onCall?: (call: FileCall) => void;
  /** Gives each thread that begins its `workerData`, and what to do when it has ended. */
  readonly equip?: () => { readonly data: unknown; readonly takeBack: () => void };
  /** Takes the answer of a call that was given up before it came. */
  readonly onLate?: (value: unknown) => void;
}

/** What one call may bring along. */
export interface CallHooks {
  /** Takes each slice that the thread sends, in order; the thread waits for it when it is slow. */
  readonly onProgress?: (value: never) => void | Promise<void>;
  readonly signal?: AbortSignal;
  /** Whether `onCall` hears nothing of it: it is told of the calls within. */
  readonly quiet?: boolean;
}

/** One call, from the asking to the end of the thread's work on it. */
export interface Call {
  readonly id: number;
  readonly operation: string;
  readonly subject: string;
  readonly request: unknown;
  readonly hooks: CallHooks;
  readonly began: number;
  readonly settle: (error: Error | null, value?: unknown) => void;
  settled: boolean;
  thread: Thread | null;
  timer: NodeJS.Timeout | undefined;
  /** When the thread last gave a sign of life, milliseconds since 1970. */
  sign: number;
  /** The slices so far, taken one after the other. */
  taken: Promise<void>;
  untaken: number;
}

/** One thread of a pool. */
export interface Thread {
  readonly worker: Worker;
  call: Call | null;
  hung: boolean;
}

/** Tells a thread something. */
export function post(thread: Thread, message: ToThread): void {
  thread.worker.postMessage(message);
}

/** The error of a call that was given up. */
export function timedOut(call: Call, why: string): VolumeError {
  return new VolumeError(
    'ETIMEDOUT',
    call.operation,
    `${call.operation} of ${call.subject} failed: ETIMEDOUT, ${why}`,
  );
}

/** A thread's fault as the error that the caller gets. */
export function errorOf(fault: Fault, call: Pick<Call, 'operation' | 'subject'>): Error {
  const operation = fault.operation ?? call.operation;
  const message = `${operation} of ${call.subject} failed: ${fault.code}${fault.detail && `, ${fault.detail}`}`;
  return fault.side === 'staging'
    ? new StagingError(fault.code, message)
    : new VolumeError(fault.code, operation, message);
}
