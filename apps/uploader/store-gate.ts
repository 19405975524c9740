import { backoffMs, messageOf, OUTAGE_DELAY_MAX_MS } from '@app/shared/domain';
import type { Logger } from '@app/shared/runtime';
import type { BlobStore } from './blob-store/blob-store.js';

/** The first delay between two probes of a store that is away; milliseconds. */
const FIRST_DELAY_MS = 1_000;

/**
 * Whether the store is there. The first run that meets an outage closes the gate; a write probe with growing delays
 * opens it again. While it is closed no new file is begun.
 */
export class StoreGate {
  private since: number | null = null;
  private why = '';
  private probes = 0;
  private timer: NodeJS.Timeout | null = null;
  private stopped = false;

  constructor(
    private readonly store: BlobStore,
    private readonly log: Logger,
    /** Called when the gate closes and when it opens. */
    private readonly onChange: (open: boolean) => void,
  ) {}

  /** Whether files may be begun. */
  get open(): boolean {
    return this.since === null;
  }

  /** Closes the gate. Safe to repeat: the reason shown is the newest. */
  close(why: string): void {
    this.why = why;
    if (this.since !== null || this.stopped) return;
    this.since = Date.now();
    this.probes = 0;
    this.log.warn(`the store is away, uploads pause: ${why}`);
    this.onChange(false);
    this.schedule();
  }

  /** The sentence for `problems` while the gate is closed. */
  problem(): string | null {
    if (this.since === null) return null;
    const seconds = Math.round((Date.now() - this.since) / 1000);
    return `The store is away since ${seconds} s, uploads pause and go on by themselves: ${this.why}`;
  }

  /** Ends probing; safe to repeat. */
  stop(): void {
    this.stopped = true;
    if (this.timer) clearTimeout(this.timer);
  }

  private schedule(): void {
    if (this.stopped) return;
    this.probes += 1;
    const delay = backoffMs(this.probes, FIRST_DELAY_MS, OUTAGE_DELAY_MAX_MS, Math.random());
    this.timer = setTimeout(() => void this.probe(), delay);
  }

  private async probe(): Promise<void> {
    try {
      await this.store.probe(AbortSignal.timeout(OUTAGE_DELAY_MAX_MS));
    } catch (error) {
      this.why = messageOf(error);
      return this.schedule();
    }
    if (this.stopped) return;
    const seconds = Math.round((Date.now() - (this.since ?? Date.now())) / 1000);
    this.since = null;
    this.log.info(`the store is back after ${seconds} s, uploads go on`);
    this.onChange(true);
  }
}
