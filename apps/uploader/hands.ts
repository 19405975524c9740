import { Interrupted, sessionKey, type SessionRef } from '@app/shared/domain';

/** The span over which rates are taken; milliseconds. */
const RATE_SPAN_MS = 5_000;

interface Turn {
  readonly alone: boolean;
  readonly take: () => void;
}

/**
 * The files that this process has in hand: who they are, how fast their bytes go, and that a suspect (a file whose
 * worker died twice) is tried with nothing else in hand.
 */
export class Hands {
  private readonly files = new Map<string, number>();
  private readonly waiting: Turn[] = [];
  private holders = 0;
  private heldAlone = false;
  private readonly moved: { at: number; session: string; bytes: number }[] = [];

  /** Blob names in hand. */
  names(): string[] {
    return [...this.files.keys()];
  }

  /**
   * Does some work with a file in hand; `alone` waits until nothing else is, and keeps others out.
   *
   * @throws Interrupted when the signal aborts while waiting for its turn
   */
  async hold<T>(blob: string, alone: boolean, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.turn(alone, signal);
    this.files.set(blob, (this.files.get(blob) ?? 0) + 1);
    try {
      return await work();
    } finally {
      const others = (this.files.get(blob) ?? 1) - 1;
      if (others > 0) this.files.set(blob, others);
      else this.files.delete(blob);
      this.holders -= 1;
      this.heldAlone = false;
      this.next();
    }
  }

  /** Notes bytes that went to the store. */
  countBytes(session: SessionRef, bytes: number): void {
    if (bytes > 0) this.moved.push({ at: Date.now(), session: sessionKey(session), bytes });
  }

  /** Bytes a second by session key, over the last five seconds. */
  rates(): Record<string, number> {
    const since = Date.now() - RATE_SPAN_MS;
    while (this.moved[0] && this.moved[0].at < since) this.moved.shift();
    const rates: Record<string, number> = {};
    for (const { session, bytes } of this.moved)
      rates[session] = (rates[session] ?? 0) + (bytes * 1000) / RATE_SPAN_MS;
    return Object.fromEntries(Object.entries(rates).map(([session, rate]) => [session, Math.round(rate)]));
  }

  private async turn(alone: boolean, signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw new Interrupted('stopped before its turn');
    if (this.waiting.length === 0 && this.fits(alone)) return this.take(alone);
    await new Promise<void>((resolve, reject) => {
      const turn: Turn = {
        alone,
        take: () => {
          signal.removeEventListener('abort', abort);
          resolve();
        },
      };
      const abort = () => {
        this.waiting.splice(this.waiting.indexOf(turn), 1);
        reject(new Interrupted('stopped before its turn'));
        this.next();
      };
      signal.addEventListener('abort', abort, { once: true });
      this.waiting.push(turn);
    });
  }

  private fits(alone: boolean): boolean {
    return alone ? this.holders === 0 : !this.heldAlone;
  }

  private take(alone: boolean): void {
    this.holders += 1;
    this.heldAlone = alone;
  }

  private next(): void {
    for (let first = this.waiting[0]; first && this.fits(first.alone); first = this.waiting[0]) {
      this.waiting.shift();
      this.take(first.alone);
      first.take();
    }
  }
}
