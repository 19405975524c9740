import { setTimeout as pause } from 'node:timers/promises';

/** Lets bytes through at most so fast. */
export class RateLimit {
  private freeAt = performance.now();

  /** @param bytesPerS null: no limit */
  constructor(private readonly bytesPerS: number | null) {}

  /** Waits until these bytes may be followed by others. @throws AbortError */
  async passed(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.bytesPerS === null) return;
    const now = performance.now();
    this.freeAt = Math.max(now, this.freeAt) + (1000 * bytes) / this.bytesPerS;
    if (this.freeAt > now) await pause(this.freeAt - now, undefined, { signal });
  }
}
