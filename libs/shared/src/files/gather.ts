import { Interrupted, VolumeError } from '../domain/errors.js';
import { errorOf } from './calls.js';
import { momentIn } from './moment.js';
import type { SeveralAnswers, SeveralRequest } from './serve.js';
import type { Threads } from './threads.js';

interface Asked {
  readonly operation: string;
  readonly subject: string;
  readonly request: unknown;
  readonly settle: (error: Error | null, value?: unknown) => void;
  settled: boolean;
}

/**
 * Short calls that were asked for in one turn of the event loop go to one thread in one message: waking a thread costs the
 * one who asks more than such a call does. A call that hangs takes those behind it along: they are not begun past their
 * deadline, and fail as it does.
 */
export class Gather {
  #waiting: Asked[] = [];

  /** @param most calls in one message */
  constructor(
    private readonly threads: Threads,
    private readonly most: number,
  ) {}

  /** As {@link Threads.run}, for a call that brings nothing but its answer. */
  run<Value>(operation: string, subject: string, request: unknown, signal?: AbortSignal): Promise<Value> {
    return new Promise<Value>((resolve, reject) => {
      const began = performance.now();
      const stopped = () => asked.settle(new Interrupted(`${operation} of ${subject} was stopped`));
      const asked: Asked = {
        ...{ operation, subject, request, settled: false },
        settle: (error, value) => {
          if (asked.settled) return;
          asked.settled = true;
          signal?.removeEventListener('abort', stopped);
          const code = error && ('code' in error ? String(error.code) : error.name);
          this.threads.options.onCall?.({ operation, ms: performance.now() - began, error: code });
          if (error) reject(error);
          else resolve(value as Value);
        },
      };
      if (signal?.aborted) return stopped();
      signal?.addEventListener('abort', stopped, { once: true });
      // not this turn's end but the next one's: under load it brings as many again, and without load it comes at once
      if (this.#waiting.length === 0) setImmediate(() => setImmediate(() => this.#flush()));
      this.#waiting.push(asked);
    });
  }

  #flush(): void {
    const calls = this.#waiting.filter(({ settled }) => !settled);
    this.#waiting = [];
    for (let at = 0; at < calls.length; at += this.most) void this.#send(calls.slice(at, at + this.most));
  }

  async #send(calls: readonly Asked[]): Promise<void> {
    const requests = calls.map(({ request }) => request);
    const before = momentIn(this.threads.options.deadlineMs);
    const several: SeveralRequest = { operation: 'several', requests, before };
    const subject = `${calls[0]?.subject}${calls.length > 1 ? ` and ${calls.length - 1} more` : ''}`;
    try {
      const answers = await this.threads.run<SeveralAnswers>('several', subject, several, { quiet: true });
      for (const [i, call] of calls.entries()) {
        const answer = answers[i];
        if (!answer) continue;
        if ('fault' in answer) call.settle(errorOf(answer.fault, call));
        else if (call.settled) this.threads.options.onLate?.(answer.value);
        else call.settle(null, answer.value);
      }
    } catch (error) {
      for (const call of calls) call.settle(errorFor(call, error));
    }
  }
}

/** The error of a message as that of one of its calls. */
function errorFor({ operation, subject }: Asked, error: unknown): Error {
  if (error instanceof VolumeError)
    return new VolumeError(error.code, operation, `${operation} of ${subject} failed: ${error.code}`);
  return error instanceof Error ? error : new Error(String(error));
}
