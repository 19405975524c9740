import type { IncomingEntry, IncomingView } from '@app/shared/records';
import { News } from './news.js';
import type { ScannerParts } from './parts.js';

/** Entries of a state that are shown by name; the rest is counted. */
const SHOWN = 1_000;
/** Past this since the last publication everything is published anew: what was published may have run out. */
const RENEW_MS = 15_000;

/** Why entries of the drop folder wait there, as one scan finds out. */
export class Entries {
  readonly byName = new Map<string, IncomingEntry>();
  readonly counts = { settling: 0, held: 0, ignored: 0 };
  private kept = 0;

  constructor(
    private readonly shown: ReadonlyMap<string, IncomingEntry>,
    private readonly now: number,
  ) {}

  /** Notes an entry. `since` in milliseconds since 1970: without it, since this was first said of it. */
  note(
    name: string,
    state: IncomingEntry['state'],
    why: string,
    more: { size?: number; since?: number } = {},
  ): void {
    this.counts[state] += 1;
    if (state !== 'settling' && this.counts[state] > SHOWN) return;
    const size = more.size ?? null;
    const before = this.shown.get(name);
    const same = before?.state === state && before.why === why && before.size === size;
    const since = more.since ?? (same ? before.since : this.now);
    this.byName.set(name, same && before.since === since ? before : { state, why, since, size });
  }

  /** An entry was not looked at this time: what was said of it stays. */
  keep(name: string): void {
    const before = this.shown.get(name);
    this.counts[before?.state ?? 'settling'] += 1;
    this.kept += 1;
    if (before && this.kept <= SHOWN) this.byName.set(name, before);
  }
}

/** What was published of the drop folder, and when. */
export class Shown {
  entries: ReadonlyMap<string, IncomingEntry> = new Map();
  private readonly news = new News();
  private at: number | null = null;

  /** Makes the next publication a whole one. */
  clear(): void {
    this.entries = new Map();
    this.news.clear();
    this.at = null;
  }

  /** Publishes what changed since the last time. @param queued names that are with the queue */
  async publish(
    parts: ScannerParts,
    view: IncomingView,
    entries: Entries,
    queued: Iterable<string>,
  ): Promise<void> {
    const at = performance.now();
    const whole = this.at === null || at - this.at > RENEW_MS;
    const changes = new Map<string, IncomingEntry | null>();
    for (const [name, entry] of entries.byName)
      if (whole || this.entries.get(name) !== entry) changes.set(name, entry);
    if (!whole)
      for (const name of this.entries.keys()) if (!entries.byName.has(name)) changes.set(name, null);
    await parts.incoming.publish(view, changes, whole);
    this.entries = entries.byName;
    this.at = at;
    const news = this.news.of(entries.byName, queued);
    await parts.incoming.tell(news);
    this.news.remember(news);
  }
}
