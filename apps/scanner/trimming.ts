import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '@app/shared/domain';
import type { Trim } from '@app/shared/records';
import type { Logger } from '@app/shared/runtime';
import { within } from './scan-loop.js';

/** How often old records are trimmed; milliseconds. */
const TRIM_MS = 60_000;
const DAY_MS = 24 * 3600_000;

/**
 * Trims old records at once and from time to time, whether this scanner leads or not: on a full Redis it may be that none
 * can, and a lower limit is what makes room.
 */
export class Trimming {
  private readonly stopping = new AbortController();
  private running: Promise<void> | null = null;

  constructor(
    private readonly trim: Trim,
    private readonly limits: { readonly days: number; readonly maxFiles: number },
    private readonly log: Logger,
  ) {}

  /** Begins. */
  start(): void {
    this.running = this.run();
  }

  /** Ends. Never waits long. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await within(500, this.running);
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        await this.all();
      } catch (error) {
        this.log.debug(`trimming: ${messageOf(error)}`);
      }
      await sleep(TRIM_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Pass after pass until nothing is left to trim. */
  private async all(): Promise<void> {
    const { days, maxFiles } = this.limits;
    let trimmed = 0;
    for (let last = 1; last > 0 && !this.stopping.signal.aborted; trimmed += last)
      last = await this.trim.pass(Date.now() - days * DAY_MS, maxFiles);
    if (trimmed > 0) this.log.info(`trimmed ${trimmed} old records`);
  }
}
