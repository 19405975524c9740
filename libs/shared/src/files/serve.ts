import { parentPort } from 'node:worker_threads';
import { codeOf, messageOf } from '../domain/errors.js';
import { isOver, type Moment } from './moment.js';

/** What the pool tells a thread. */
export type ToThread =
  | { readonly kind: 'call'; readonly id: number; readonly request: unknown }
  | { readonly kind: 'cancel'; readonly id: number }
  | { readonly kind: 'taken'; readonly id: number };

/** Why a call failed, as a thread tells it. */
export interface Fault {
  /** Whose call failed: one on the shared volume, or one on the local staging disk. */
  readonly side: 'volume' | 'staging';
  /** The system's code, e.g. `ESTALE`; `EUNKNOWN` where there is none. */
  readonly code: string;
  /** The step that failed where it is another than the call's own name. */
  readonly operation?: string;
  /** More than the code says; empty for plain system errors. */
  readonly detail: string;
}

/** What a thread tells the pool. */
export type FromThread =
  | { readonly kind: 'progress'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'done'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failed'; readonly id: number; readonly fault: Fault }
  | { readonly kind: 'cancelled'; readonly id: number };

/** Short calls that are made one after the other, none of them after `before`. */
export interface SeveralRequest {
  readonly operation: 'several';
  readonly requests: readonly unknown[];
  readonly before: Moment;
}

/** What each of several calls came to, in their order. */
export type SeveralAnswers = readonly ({ readonly value: unknown } | { readonly fault: Fault })[];

/** Several calls tell a sign of life after so many milliseconds. */
const ALIVE_EVERY_MS = 200;
/** How many slices may be on their way before a thread waits for the main thread to take one. */
const SLICES_AHEAD = 8;

/** The thread's side of one call. */
export class Served {
  #cancelled = false;
  #ahead = 0;
  #wake: (() => void) | null = null;

  constructor(readonly id: number) {}

  /** Whether nobody wants the answer any more; seen after any await. */
  get cancelled(): boolean {
    return this.#cancelled;
  }

  /** Sends a sign of life. */
  progress(value: unknown): void {
    this.#ahead += 1;
    send({ kind: 'progress', id: this.id, value });
  }

  /** Waits until the main thread has taken enough of what was sent, or has cancelled. */
  async room(): Promise<void> {
    while (this.#ahead >= SLICES_AHEAD && !this.#cancelled)
      await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  /** A word from the pool about this call. */
  hear(kind: 'cancel' | 'taken'): void {
    if (kind === 'cancel') this.#cancelled = true;
    else this.#ahead -= 1;
    this.#wake?.();
    this.#wake = null;
  }
}

/** Thrown inside a thread by work that saw {@link Served.cancelled}. */
export class Cancelled extends Error {
  override readonly name = 'Cancelled';
}

/** An error of one step inside a call; without it an error counts as the volume's and as the call's own. */
export class StepFault extends Error {
  override readonly name = 'StepFault';
  constructor(
    readonly side: Fault['side'],
    readonly operation: string,
    override readonly cause: unknown,
  ) {
    super(messageOf(cause));
  }
}

/** Serves the pool's calls in this thread, one after the other, with `handle`. */
export function serve(handle: (request: never, call: Served) => unknown): void {
  let current: Served | null = null;
  parentPort?.on('message', (message: ToThread) => {
    if (message.kind !== 'call') {
      if (current?.id === message.id) current.hear(message.kind);
      return;
    }
    const call = (current = new Served(message.id));
    const request = message.request as { operation: string };
    void answer(call, () =>
      request.operation === 'several'
        ? serveSeveral(request as SeveralRequest, handle, call)
        : handle(request as never, call),
    );
  });
}

async function serveSeveral(
  { requests, before }: SeveralRequest,
  handle: (request: never, call: Served) => unknown,
  call: Served,
): Promise<SeveralAnswers> {
  const answers: ({ value: unknown } | { fault: Fault })[] = [];
  let told = performance.now();
  for (const request of requests) {
    try {
      if (isOver(before)) throw Object.assign(new Error('not begun in time'), { code: 'ETIMEDOUT' });
      answers.push({ value: await handle(request as never, call) });
    } catch (error) {
      answers.push({ fault: faultOf(error) });
    }
    if (performance.now() - told < ALIVE_EVERY_MS) continue;
    told = performance.now();
    call.progress(null);
  }
  return answers;
}

async function answer(call: Served, work: () => unknown): Promise<void> {
  try {
    send({ kind: 'done', id: call.id, value: await work() });
  } catch (error) {
    if (error instanceof Cancelled) send({ kind: 'cancelled', id: call.id });
    else send({ kind: 'failed', id: call.id, fault: faultOf(error) });
  }
}

/** Tells an error in a form that passes between threads. */
export function faultOf(error: unknown): Fault {
  const step = error instanceof StepFault ? error : null;
  const cause = step ? step.cause : error;
  const side = step?.side ?? 'volume';
  const operation = step ? { operation: step.operation } : {};
  const code = codeOf(cause);
  return { side, ...operation, code: code ?? 'EUNKNOWN', detail: code === undefined ? messageOf(cause) : '' };
}

function send(message: FromThread): void {
  parentPort?.postMessage(message);
}
