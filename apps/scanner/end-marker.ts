import type { Watch } from '@app/shared/records';
import type { Listing } from './drop-folder.js';
import type { Entries } from './entries.js';
import type { ScannerParts } from './parts.js';
import type { ScanMemory } from './scan-memory.js';
import type { ScanWindow } from './scan-window.js';
import { take, type Taker } from './take.js';

const GOES_LAST = 'held: the end marker goes last, and other files of its session are not in the store yet';

/** The end marker of the active session, where it stands in the drop folder at rest. */
export interface RestingMarker {
  readonly taker: Taker;
  readonly session: NonNullable<Watch['session']>;
}

/** Sets the end marker apart from the other files at rest. */
export function splitMarker(
  takers: readonly Taker[],
  { session }: Watch,
): { others: readonly Taker[]; marker: RestingMarker | null } {
  const name = session?.batch.endMarker ?? null;
  const taker = name === null ? undefined : takers.find((candidate) => candidate.name === name);
  if (!session || !taker) return { others: takers, marker: null };
  return { others: takers.filter((candidate) => candidate !== taker), marker: { taker, session } };
}

/**
 * Hands the end marker to the queue once nothing else of its session stands in the drop folder or is under way, and
 * nothing of it failed: whoever sees it in the store believes that all is there. Until then it is held. It came to rest
 * over two listings, so the last one has every file that was dropped before it.
 *
 * @param waiting what {@link othersWaiting} says; @param room in the queue
 * @returns how many were handed over
 * @throws VolumeError; LeaseLost; errors of Redis
 */
export async function takeMarker(
  parts: ScannerParts,
  memory: ScanMemory,
  { taker, session }: RestingMarker,
  waiting: number,
  room: number,
  entries: Entries,
): Promise<number> {
  const { name, look } = taker;
  const hold = (why: string): number => {
    entries.note(name, 'held', why, { size: look.size });
    return 0;
  };
  const { open, failed, firstFailed } = await parts.sessions.beforeMarker(session);
  if (failed > 0) {
    memory.blockedMarker = { name, failed, firstFailed };
    return hold(`held: the end marker goes last, and ${failedFiles(failed, firstFailed)}`);
  }
  if (waiting > 0 || open > 0) return hold(GOES_LAST);
  return take(parts, memory, [taker], room, session, entries);
}

/** How many files of the drop folder go to this session, beside the marker and those that the queue has already. */
export function othersWaiting(
  memory: ScanMemory,
  listing: Listing,
  window: ScanWindow,
  looked: readonly string[],
  entries: Entries,
): number {
  const later = window
    .notThisTime(looked)
    .filter((name) => memory.shown.entries.get(name)?.state !== 'ignored').length;
  const { settling, held } = entries.counts;
  return settling - listing.late + held + window.passed + later;
}

/** The sentence for `problems` where a marker waits for failed files. */
export function blockedMarkerProblem({ blockedMarker }: ScanMemory): string | null {
  if (blockedMarker === null) return null;
  const { name, failed, firstFailed } = blockedMarker;
  return `the end marker ${JSON.stringify(name)} is not uploaded, since ${failedFiles(failed, firstFailed)}`;
}

function failedFiles(count: number, first: string | null): string {
  const them = count === 1 ? 'it' : 'them';
  return `${count} file${count === 1 ? '' : 's'} of its session failed, the first is ${JSON.stringify(first)}; retry ${them}, or remove ${them}`;
}
