import { messageOf, parseObject, VolumeError } from '@app/shared/domain';
import type { Watch } from '@app/shared/records';
import type { Entries } from './entries.js';
import { QUARANTINED } from './held.js';
import { mustLead, type ScannerParts } from './parts.js';
import type { ScanMemory } from './scan-memory.js';

/** The most that the list of names may have, in bytes; a longer one is made anew by the next scanner. */
const LIST_MAX = 64 * 1024 * 1024;

/** The files that a session takes before it stops: those that stood in the drop folder when it was told to stop once through. */
export class Stopping {
  /** Names of the current scan's listing that belong to it. */
  private here: string[] = [];
  private noted: boolean;

  private constructor(
    /** When it was said; see `Watch.stopping`. */
    readonly since: number,
    private names: Set<string>,
    /** Whether the names are known: else the next listing says what stood there. */
    private known: boolean,
  ) {
    this.noted = known;
  }

  /** What the volume says of this stop, so that another scanner takes no more than the one before; else a new one. @throws VolumeError */
  static async of(parts: ScannerParts, since: number): Promise<Stopping> {
    const text = await parts.volume.readText(parts.layout.stoppingFile, LIST_MAX).catch((error: unknown) => {
      // what is no readable file says nothing; what the volume cannot tell now is asked again
      if (error instanceof VolumeError && error.disposition !== 'outage') return null;
      throw error;
    });
    const note = parseObject(text);
    const names = note?.stopping === since && Array.isArray(note.names) ? note.names : null;
    return names?.every((name) => typeof name === 'string')
      ? new Stopping(since, new Set(names), true)
      : new Stopping(since, new Set(), false);
  }

  /** A listing begins. */
  begin(): void {
    this.here = [];
  }

  /** Whether a name of the listing is taken before the session stops. */
  takes(name: string): boolean {
    if (!this.known) this.names.add(name);
    if (!this.names.has(name)) return false;
    this.here.push(name);
    return true;
  }

  /** A listing ended: what it did not have is taken, or gone. Notes the names and tells whoever waits for that, once. */
  async listed(parts: ScannerParts): Promise<void> {
    this.names = new Set(this.here);
    this.known = true;
    if (this.noted) return;
    mustLead(parts);
    const note = JSON.stringify({ stopping: this.since, names: this.here });
    await parts.volume
      .writeText(parts.layout.stoppingFile, `${note}\n`)
      .catch((error: unknown) =>
        parts.log.warn(
          `what stood in the drop folder could not be noted; another scanner would take what stands there then: ${messageOf(error)}`,
        ),
      );
    await parts.sessions.listed(this.since);
    this.noted = true;
  }

  /** Whether every one of its files is with the queue, or waits for a person: it is ignored, or its name is quarantined. */
  isThrough(memory: ScanMemory, entries: Entries): boolean {
    return this.here.every((name) => {
      const enqueued = memory.enqueued.get(name);
      // a name whose job has begun may be a second drop, which is still to be taken
      if (enqueued) return !enqueued.underWay || isForPeople(memory, entries, name);
      return isForPeople(memory, entries, name);
    });
  }
}

/** The stop that is under way, or null. @throws VolumeError */
export async function stoppingOf(
  parts: ScannerParts,
  memory: ScanMemory,
  { stopping }: Watch,
): Promise<Stopping | null> {
  if (stopping === null) memory.stopping = null;
  else if (memory.stopping?.since !== stopping) memory.stopping = await Stopping.of(parts, stopping);
  memory.stopping?.begin();
  return memory.stopping;
}

/** Ends the session once all is taken. @throws LeaseLost; errors of Redis */
export async function stopOnceThrough(
  parts: ScannerParts,
  memory: ScanMemory,
  stopping: Stopping,
  entries: Entries,
): Promise<void> {
  if (!stopping.isThrough(memory, entries)) return;
  mustLead(parts);
  await parts.sessions.stopNow(stopping.since);
  // what is left of it says nothing: the next stop has another time
  await parts.volume.unlink(parts.layout.stoppingFile).catch(() => false);
}

function isForPeople(memory: ScanMemory, entries: Entries, name: string): boolean {
  if (memory.standing.get(name)?.place === 'failed' || memory.blockedMarker?.name === name) return true;
  const entry = entries.byName.get(name);
  return entry?.state === 'ignored' || (entry?.state === 'held' && entry.why === QUARANTINED);
}
