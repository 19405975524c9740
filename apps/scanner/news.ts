import type { IncomingEntry, SluiceEvent } from '@app/shared/records';

/** Names that are remembered; what was told longest ago is told anew. */
const REMEMBERED = 20_000;

/**
 * What is new in the drop folder, for those who listen to events. A name is told as dropped once until it is queued, even
 * where the scans between look elsewhere; a scanner that begins knows of none and tells all.
 */
export class News {
  /** The state that was told last, by name. */
  private readonly told = new Map<string, IncomingEntry['state']>();

  /** @param queued names that are with the queue: another file of theirs is a new one */
  of(entries: ReadonlyMap<string, IncomingEntry>, queued: Iterable<string>): SluiceEvent[] {
    for (const name of queued) if (!entries.has(name)) this.told.delete(name);
    return [...entries].flatMap(([filename, entry]) => {
      const before = this.told.get(filename);
      if (before === entry.state) return [];
      const file = { type: 'file' as const, filename, session: null, size: entry.size ?? undefined };
      const changed = { ...file, state: entry.state, why: entry.why };
      if (before !== undefined) return [changed];
      return [{ ...file, state: 'dropped', why: 'seen in the drop folder for the first time' }, changed];
    });
  }

  /** Those events were told. */
  remember(events: readonly SluiceEvent[]): void {
    for (const { filename, state } of events) {
      if (state === 'dropped') continue;
      this.told.delete(filename as string);
      this.told.set(filename as string, state as IncomingEntry['state']);
    }
    for (const name of this.told.keys()) {
      if (this.told.size <= REMEMBERED) break;
      this.told.delete(name);
    }
  }

  clear(): void {
    this.told.clear();
  }
}
