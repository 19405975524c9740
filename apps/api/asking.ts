import { leadingScanner, type Pods, type PodReport } from '@app/shared/pods';
import { readAnswer, SILENT_PODS_MAX, type Answerer, type Questions } from '@app/shared/questions';
import type { RedisGate } from './redis-gate.js';

/** No pod answered a question: 503. The message says why. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

/** How long a question may lie before a pod takes it; milliseconds. */
const TAKE_MS = 10_000;
/** Between two looks for the answer: it grows from the first to the last; milliseconds. */
const LOOK_MS = { first: 10, last: 200 } as const;
/** How often the pods are called again, while none has taken the question; milliseconds. */
const CALL_MS = 500;
/** How often it is asked whether any pod is left; milliseconds. */
const ALIVE_MS = 2_000;

/** Asks the pods what the api cannot see itself: it has no access to the store, and reads no folder of the volume. */
export class Asking {
  constructor(
    private readonly gate: RedisGate,
    private readonly questions: Questions,
    private readonly pods: Pods,
  ) {}

  /**
   * Asks the pods of a role; one of them answers. Where it dies, another one does, so the work must be safe to repeat.
   *
   * @param kind what is asked, as the pods know it
   * @param data as JSON, at most some hundred kilobytes
   * @param timeoutMs the longest that an answer may take
   * @param signal aborts where nobody waits any more; the pod stops too
   * @returns the answer's data, unchecked: it is what some pod, of whatever release, wrote
   * @throws NoAnswer at once where there is no such pod, and where none answers in time or the answer is an error; RedisAway
   */
  async ask(
    role: Answerer,
    kind: string,
    data: object,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<Record<string, unknown>> {
    await this.mustBeThere(role);
    const id = await this.gate.ask(() => this.questions.put(role, kind, data, timeoutMs));
    try {
      return await this.wait(role, id, timeoutMs, signal);
    } finally {
      // it also expires by itself
      await this.gate.ask(() => this.questions.withdraw(id)).catch(() => undefined);
    }
  }

  private async wait(
    role: Answerer,
    id: string,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<Record<string, unknown>> {
    const began = performance.now();
    let [calledAt, aliveAt, taken] = [began, began, false];
    let pause: number = LOOK_MS.first;
    for (;;) {
      await wait(pause, signal);
      if (signal.aborted) throw new NoAnswer('nobody waits for the answer any more');
      pause = Math.min(LOOK_MS.last, pause * 1.5);
      const now = performance.now();
      const again = now - calledAt > CALL_MS;
      if (again) calledAt = now;
      const standing = await this.gate.ask(() => this.questions.look(id, again));
      if (standing.state === 'answered') return read(role, standing.text);
      if (standing.state === 'unanswerable')
        throw new NoAnswer(
          `${SILENT_PODS_MAX} pods fell silent over this question; the log of each ${role} says more`,
        );
      if (standing.state === 'taken') taken = true;
      else if (!taken && now - began > TAKE_MS)
        throw new NoAnswer(
          `no ${role} took the question within ${TAKE_MS / 1000} s; /v1/status says how they are`,
        );
      if (standing.state === 'expired' || now - began > timeoutMs)
        throw new NoAnswer(`no ${role} answered within ${timeoutMs / 1000} s`);
      if (now - aliveAt > ALIVE_MS) {
        aliveAt = now;
        await this.mustBeThere(role);
      }
    }
  }

  private async mustBeThere(role: Answerer): Promise<void> {
    const alive = await this.gate.ask(() => this.pods.alive());
    if (!answers(alive, role)) throw new NoAnswer(`no ${role} is there to answer; start one`);
  }
}

function answers(alive: readonly PodReport[], role: Answerer): boolean {
  return role === 'scanner' ? leadingScanner(alive) !== null : alive.some((pod) => pod.role === role);
}

function read(role: Answerer, text: string): Record<string, unknown> {
  const answer = readAnswer(text);
  if (answer === null) throw new NoAnswer(`the ${role}'s answer cannot be read; run one release everywhere`);
  if ('fault' in answer) throw new NoAnswer(`the ${role} could not answer: ${answer.fault}`);
  return answer.data;
}

/** Ends early where the signal aborts. */
function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
}
