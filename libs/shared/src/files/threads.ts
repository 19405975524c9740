import { Worker } from 'node:worker_threads';
import { codeOf, Interrupted, messageOf } from '../domain/errors.js';
import {
  errorOf,
  post,
  timedOut,
  type Call,
  type CallHooks,
  type Thread,
  type ThreadsOptions,
} from './calls.js';
import type { FromThread } from './serve.js';

/** A thread makes few objects; V8's own default would keep tens of MiB for each. */
const THREAD_LIMITS = { maxYoungGenerationSizeMb: 4 };
/** How long an aborted call may take to clean up after itself before it is given up, milliseconds. */
const ABORT_GRACE_MS = 1_000;

/**
 * Threads for calls that may hang in the kernel. Each runs one call at a time; one that passes its deadline is set
 * aside with its thread, which comes back when the kernel lets it go, and another takes its place, so that a hung
 * call costs one thread and nothing else. At most `threads + maxHung` exist.
 */
export class Threads {
  readonly #threads = new Set<Thread>();
  readonly #queue = new Set<Call>();
  #lastId = 0;
  #stopped = false;
  #onEmpty: (() => void) | null = null;

  constructor(readonly options: ThreadsOptions) {}

  /** Calls asked for and not yet answered, those in the queue included. */
  get inFlight(): number {
    return (
      this.#queue.size + [...this.#threads].filter((thread) => thread.call && !thread.call.settled).length
    );
  }

  /** Milliseconds since the last sign of life of the call that a thread has been silent on for longest; 0 if none. */
  hungSinceMs(now: number): number {
    const silent = [...this.#threads].map(({ call }) => (call && call.untaken === 0 ? now - call.sign : 0));
    return Math.max(0, ...silent);
  }

  /**
   * Runs one call in a thread.
   *
   * @param subject the name that an error's message tells
   * @throws VolumeError, StagingError as the thread found; VolumeError ETIMEDOUT past the deadline, or at once when
   * every thread hangs; Interrupted after an abort or {@link stop}.
   */
  run<Value>(operation: string, subject: string, request: unknown, hooks: CallHooks = {}): Promise<Value> {
    return new Promise<Value>((resolve, reject) => {
      const began = performance.now();
      const onAbort = (): void => this.#abort(call);
      const settle = (error: Error | null, value?: unknown): void => {
        if (call.settled) return;
        call.settled = true;
        hooks.signal?.removeEventListener('abort', onAbort);
        const code = error && (codeOf(error) ?? error.name);
        if (!hooks.quiet) this.options.onCall?.({ operation, ms: performance.now() - began, error: code });
        if (error) reject(error);
        else resolve(value as Value);
      };
      const call: Call = {
        ...{ id: ++this.#lastId, operation, subject, request, hooks, began, settle, settled: false },
        ...{ thread: null, timer: undefined, sign: Date.now(), taken: Promise.resolve(), untaken: 0 },
      };
      if (this.#stopped || hooks.signal?.aborted)
        return settle(new Interrupted(`${operation} of ${subject} was not begun`));
      hooks.signal?.addEventListener('abort', onAbort, { once: true });
      this.#queue.add(call);
      this.#arm(call);
      this.#feed();
      if (this.#queue.has(call) && this.#allHang()) {
        this.#queue.delete(call);
        clearTimeout(call.timer);
        settle(timedOut(call, `all ${this.#threads.size} threads hang`));
      }
    });
  }

  /**
   * Ends the threads; what waits in the queue rejects as Interrupted, what is under way has `waitMs` to end. May be
   * repeated.
   *
   * @returns whether a thread still hangs: `process.exit` would wait for it, only a signal ends the process then.
   */
  async stop(waitMs = 1_000): Promise<boolean> {
    this.#stopped = true;
    for (const call of this.#queue) {
      clearTimeout(call.timer);
      call.settle(new Interrupted(`${call.operation} of ${call.subject} was not begun`));
    }
    this.#queue.clear();
    await Promise.all(
      [...this.#threads].filter((thread) => !thread.call).map((thread) => this.#retire(thread)),
    );
    if (this.#threads.size > 0)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, waitMs);
        this.#onEmpty = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    return this.#threads.size > 0;
  }

  #allHang(): boolean {
    const { threads, maxHung } = this.options;
    return this.#threads.size >= threads + maxHung && [...this.#threads].every((thread) => thread.hung);
  }

  #working(): number {
    return [...this.#threads].filter((thread) => !thread.hung).length;
  }

  #feed(): void {
    for (const call of this.#queue) {
      const thread = this.#freeThread();
      if (!thread) return;
      this.#queue.delete(call);
      call.thread = thread;
      call.sign = Date.now();
      thread.call = call;
      thread.worker.ref();
      post(thread, { kind: 'call', id: call.id, request: call.request });
    }
  }

  #freeThread(): Thread | null {
    for (const thread of this.#threads) if (!thread.call) return thread;
    const { threads, maxHung } = this.options;
    if (this.#working() >= threads || this.#threads.size >= threads + maxHung) return null;
    return this.#start();
  }

  #start(): Thread {
    const equipment = this.options.equip?.();
    const worker = new Worker(this.options.file, {
      // descriptors pass from a staging thread to the main one, so none may be closed with the thread that opened it
      trackUnmanagedFds: false,
      resourceLimits: THREAD_LIMITS,
      workerData: equipment?.data ?? null,
    });
    const thread: Thread = { worker, call: null, hung: false };
    let fault = 'the thread ended';
    worker.on('message', (message: FromThread) => this.#hear(thread, message));
    worker.on('error', (error) => (fault = messageOf(error)));
    worker.on('exit', () => {
      equipment?.takeBack();
      this.#threads.delete(thread);
      const { call } = thread;
      if (call) {
        clearTimeout(call.timer);
        call.settle(errorOf({ side: 'volume', code: 'EUNKNOWN', detail: fault }, call));
      }
      if (this.#threads.size === 0) this.#onEmpty?.();
      if (!this.#stopped) this.#feed();
    });
    this.#threads.add(thread);
    return thread;
  }

  #hear(thread: Thread, message: FromThread): void {
    const { call } = thread;
    if (call?.id !== message.id) return;
    if (message.kind === 'progress') {
      call.sign = Date.now();
      if (!call.settled) this.#take(call, message.value);
      return;
    }
    clearTimeout(call.timer);
    thread.call = null;
    thread.hung = false;
    thread.worker.unref();
    if (message.kind === 'done' && call.settled) this.options.onLate?.(message.value);
    else if (message.kind === 'done') void call.taken.then(() => call.settle(null, message.value));
    else if (message.kind === 'failed') void call.taken.then(() => call.settle(errorOf(message.fault, call)));
    else call.settle(new Interrupted(`${call.operation} of ${call.subject} was stopped`));
    if (this.#stopped || this.#working() > this.options.threads) void this.#retire(thread);
    else this.#feed();
  }

  #take(call: Call, value: unknown): void {
    clearTimeout(call.timer);
    call.untaken += 1;
    call.taken = call.taken
      .then(() => (call.settled ? undefined : call.hooks.onProgress?.(value as never)))
      .catch((error: unknown) => {
        call.settle(error instanceof Error ? error : new Error(messageOf(error)));
        if (call.thread) post(call.thread, { kind: 'cancel', id: call.id });
      });
    void call.taken.then(() => {
      call.untaken -= 1;
      call.sign = Date.now();
      if (call.thread?.call !== call) return;
      if (call.untaken === 0) this.#arm(call);
      // not at once: the next slices would come in the same turn of the loop, and the last ones too
      setImmediate(() => call.thread && post(call.thread, { kind: 'taken', id: call.id }));
    });
  }

  #arm(call: Call): void {
    clearTimeout(call.timer);
    call.timer = setTimeout(() => this.#expire(call), this.options.deadlineMs);
  }

  #expire(call: Call): void {
    if (call.thread) {
      call.thread.hung = true;
      call.thread.worker.unref();
      post(call.thread, { kind: 'cancel', id: call.id });
    } else this.#queue.delete(call);
    call.settle(timedOut(call, `no answer within ${this.options.deadlineMs / 1000} s`));
    this.#feed();
  }

  #abort(call: Call): void {
    const stopped = new Interrupted(`${call.operation} of ${call.subject} was stopped`);
    if (call.thread) {
      post(call.thread, { kind: 'cancel', id: call.id });
      setTimeout(() => call.settle(stopped), ABORT_GRACE_MS).unref();
    } else {
      this.#queue.delete(call);
      clearTimeout(call.timer);
      call.settle(stopped);
    }
  }

  async #retire(thread: Thread): Promise<void> {
    this.#threads.delete(thread);
    await thread.worker.terminate();
    if (this.#threads.size === 0) this.#onEmpty?.();
  }
}
