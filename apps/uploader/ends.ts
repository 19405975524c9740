import { messageOf, sessionKey, type SessionRef } from '@app/shared/domain';
import type { Moves, Sessions } from '@app/shared/records';
import type { Logger } from '@app/shared/runtime';
import type { BlobStore } from './blob-store/blob-store.js';

/** Ends are told together, this long after the first of them; milliseconds. */
const TOGETHER_MS = 100;

/**
 * What is left to say of files whose jobs are complete: their receipts end, and their session learns its URL. Told for many
 * at once; what a process that dies has not told is harmless, since receipts run out.
 */
export class Ends {
  private ended: { blob: string; claim: string }[] = [];
  private readonly urls = new Map<string, string>();
  private readonly told = new Set<string>();
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly moves: Moves,
    private readonly sessions: Sessions,
    private readonly store: BlobStore,
    private readonly log: Logger,
  ) {}

  /** Notes a file that is done; its job is complete by the time this is told. */
  add(session: SessionRef, blob: string, claim: string): void {
    const key = sessionKey(session);
    this.ended.push({ blob, claim });
    if (!this.told.has(key)) this.urls.set(key, this.store.prefixUrl(session));
    this.timer ??= setTimeout(() => void this.flush(), TOGETHER_MS);
  }

  /** Tells what is noted. Never throws. */
  async flush(): Promise<void> {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    const [ended, urls] = [this.ended, [...this.urls]];
    this.ended = [];
    this.urls.clear();
    try {
      await Promise.all([
        this.moves.endReceipts(ended),
        ...urls.map(([key, url]) => this.sessions.setUrl(key, url)),
      ]);
      for (const [key] of urls) this.told.add(key);
    } catch (error) {
      this.log.debug(`receipts: ${messageOf(error)}`);
    }
  }
}
