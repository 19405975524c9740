import { blobName, fileOfSidecar, sessionKey, type SessionRef } from '@app/shared/domain';
import { inHand } from '@app/shared/pods';
import type { Watch } from '@app/shared/records';
import { BlockedEntries } from './blocked-entries.js';
import type { Listing } from './drop-folder.js';
import type { Entries } from './entries.js';
import { QUARANTINED } from './held.js';
import type { ScannerParts } from './parts.js';
import type { BlockedMarker, ScanMemory } from './scan-memory.js';
import type { ScanWindow } from './scan-window.js';
import { take, type Taker } from './take.js';
import { walkSession, type SessionFolder } from './walk.js';

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
 * over two listings, so the last one has every file that was dropped before it; and all must be clear in two scans in a
 * row, since a file that is put back into the drop folder may come after the listing.
 *
 * @param waiting what {@link othersWaiting} says; @param room in the queue
 * @returns how many were handed over
 * @throws VolumeError; LeaseLost; errors of Redis
 */
export async function takeMarker(
  parts: ScannerParts,
  memory: ScanMemory,
  { taker, session }: RestingMarker,
  waiting: Waiting,
  room: number,
  entries: Entries,
): Promise<number> {
  const { name, look } = taker;
  const hold = (why: string): number => {
    entries.note(name, 'held', why, { size: look.size });
    return 0;
  };
  const blob = blobName(session, name);
  const wasClear = memory.clearMarker === blob;
  memory.clearMarker = null;
  const { open, failed, firstFailed } = await parts.sessions.beforeMarker(session);
  if (failed > 0) {
    memory.blockedMarker = { name, by: 'failed', count: failed, first: firstFailed };
    return hold(`held: the end marker goes last, and ${blockedBy(memory.blockedMarker)}`);
  }
  if (waiting.count > 0 && waiting.count === waiting.quarantined && open === 0) {
    memory.blockedMarker = { name, by: 'quarantined', count: waiting.count, first: waiting.first };
    return hold(`held: the end marker goes last, and ${blockedBy(memory.blockedMarker)}`);
  }
  if (waiting.count > 0 || open > 0 || (await isInHand(parts, session))) return hold(GOES_LAST);
  memory.clearMarker = blob;
  return wasClear ? take(parts, memory, [taker], room, session, entries) : hold(GOES_LAST);
}

/** Files of the drop folder that go to the session, beside the marker and those that the queue has already. */
export interface Waiting {
  readonly count: number;
  /** Of these, how many wait for a person, since a file of their name stands in quarantine; and the first of them. */
  readonly quarantined: number;
  readonly first: string | null;
}

/** What the marker waits for in the drop folder. @param checksums held ones that are beside no file: they are none of their own */
export function othersWaiting(
  memory: ScanMemory,
  listing: Listing,
  window: ScanWindow,
  looked: readonly string[],
  checksums: number,
  entries: Entries,
): Waiting {
  const later = window
    .notThisTime(looked)
    .filter((name) => memory.shown.entries.get(name)?.state !== 'ignored');
  // what waited for a first file that is through by now is looked at in the next scan
  const freed = [...listing.enqueued, ...listing.standing, ...listing.namesakes].filter(
    (name) => !entries.byName.has(name),
  ).length;
  const { settling, held } = entries.counts;
  const quarantined = [
    ...[...entries.byName].flatMap(([name, { why }]) => (why === QUARANTINED ? [name] : [])),
    ...later.filter((name) => memory.shown.entries.get(name)?.why === QUARANTINED),
  ];
  return {
    count: settling - listing.late + held - checksums + freed + window.passed + later.length,
    quarantined: quarantined.length,
    first: quarantined[0] ?? null,
  };
}

/**
 * Whether a file of a session is claimed, as the volume and the living pods say: a Redis that lost its data has no record
 * of what uploaders have in hand. Asked only where the marker would go.
 */
async function isInHand(parts: ScannerParts, session: SessionRef): Promise<boolean> {
  const { volume, layout, rules } = parts;
  const key = sessionKey(session);
  const folders: SessionFolder[] = [];
  // what cannot be read is not known to be empty
  const blocked = new BlockedEntries(volume, layout.roots, () => Promise.resolve(true));
  const isSidecar = (name: string) => rules.sidecars !== 'off' && fileOfSidecar(name) !== null;
  const hands = inHand(await parts.pods.alive());
  await walkSession(volume, session, `${layout.roots.processing}/${key}`, blocked, isSidecar, folders);
  return (
    blocked.paths.length > 0 ||
    folders.some(({ files, leftOvers }) => files.length + leftOvers.length > 0) ||
    [...hands].some((blob) => blob.startsWith(`${key}/`))
  );
}

/** The sentence for `problems` where a marker waits for people. */
export function blockedMarkerProblem({ blockedMarker }: ScanMemory): string | null {
  if (blockedMarker === null) return null;
  return `the end marker ${JSON.stringify(blockedMarker.name)} is not uploaded, since ${blockedBy(blockedMarker)}`;
}

function blockedBy({ by, count, first }: BlockedMarker): string {
  const [files, them] = count === 1 ? ['1 file', 'it'] : [`${count} files`, 'them'];
  return by === 'failed'
    ? `${files} of its session failed, the first is ${JSON.stringify(first)}; retry ${them}, or remove ${them}`
    : `${files} before it in the drop folder cannot go while older ones of the same name are quarantined, the first is ${JSON.stringify(first)}; retry or remove the quarantined`;
}
