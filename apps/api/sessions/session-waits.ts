import { sessionKey, type SessionRef } from '@app/shared/domain';
import { readEvents, type SessionRecord, type Sessions } from '@app/shared/records';
import type { RedisGate } from '../redis-gate.js';

/** How often sessions that somebody waits for are read all the same: a message may be lost with a connection. Milliseconds. */
const LOOK_MS = 5_000;
/** Sessions read per call. */
const READ_AT_ONCE = 200;

/** Whether there is nothing more to wait for. */
export function isOver({ complete, state }: Pick<SessionRecord, 'complete' | 'state'>): boolean {
  return complete || state === 'finished';
}

/** Callers that wait until a session is complete or finished. Redis is asked when it tells of a session, not a caller at a time. */
export class SessionWaits {
  private readonly waiting = new Map<string, Set<() => void>>();
  private timer: NodeJS.Timeout | null = null;
  private stopped = false;

  constructor(
    private readonly sessions: Sessions,
    private readonly gate: RedisGate,
  ) {}

  /** A message of the channel of events came. */
  heard(text: string): void {
    if (this.waiting.size === 0) return;
    for (const { type, session, state, complete } of readEvents(text))
      if (type === 'session' && session !== null && (state === 'finished' || complete === true))
        this.wake(session);
  }

  /**
   * The session, once it is complete or finished, the time is over, the caller is gone, or this api stops.
   *
   * @returns undefined where no such session is known
   * @throws RedisAway
   */
  async until(session: SessionRef, ms: number, gone: AbortSignal): Promise<SessionRecord | undefined> {
    const key = sessionKey(session);
    const end = performance.now() + ms;
    for (;;) {
      // before it is read, so that nothing happens in between
      const told = this.told(key, end - performance.now(), gone);
      try {
        const [record] = await this.gate.ask(() => this.sessions.read([key]));
        if (!record || isOver(record) || performance.now() >= end || gone.aborted || this.stopped)
          return record;
        await told.promise;
      } finally {
        told.end();
      }
    }
  }

  /** Lets everybody have what is known now. */
  stop(): void {
    this.stopped = true;
    for (const key of [...this.waiting.keys()]) this.wake(key);
  }

  private told(key: string, ms: number, gone: AbortSignal): { promise: Promise<void>; end: () => void } {
    let wake = (): void => undefined;
    const promise = new Promise<void>((resolve) => (wake = resolve));
    const timer = setTimeout(wake, Math.max(0, ms));
    gone.addEventListener('abort', wake);
    const others = this.waiting.get(key) ?? new Set();
    this.waiting.set(key, others.add(wake));
    this.timer ??= setInterval(() => void this.look(), LOOK_MS);
    const end = (): void => {
      clearTimeout(timer);
      gone.removeEventListener('abort', wake);
      others.delete(wake);
      if (others.size === 0 && this.waiting.get(key) === others) this.waiting.delete(key);
      if (this.waiting.size > 0 || this.timer === null) return;
      clearInterval(this.timer);
      this.timer = null;
    };
    return { promise, end };
  }

  private wake(key: string): void {
    for (const wake of this.waiting.get(key) ?? []) wake();
  }

  private async look(): Promise<void> {
    const keys = [...this.waiting.keys()];
    for (let at = 0; at < keys.length; at += READ_AT_ONCE) {
      const batch = keys.slice(at, at + READ_AT_ONCE);
      // away: they go on waiting
      const records = await this.gate.ask(() => this.sessions.read(batch)).catch(() => []);
      const known = new Map(records.map((record) => [sessionKey(record), record]));
      if (records.length > 0)
        for (const key of batch) {
          const record = known.get(key);
          if (!record || isOver(record)) this.wake(key);
        }
    }
  }
}
