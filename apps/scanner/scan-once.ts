import type { FileLook, VolumeError } from '@app/shared/domain';
import { COMPLETED_KEPT } from '@app/shared/queue';
import type { IncomingView, Watch } from '@app/shared/records';
import { BlockedEntries } from './blocked-entries.js';
import { listDropFolder } from './drop-folder.js';
import { Entries } from './entries.js';
import { checkEnqueued, checkStanding } from './held.js';
import { blockedMarkerProblem, othersWaiting, splitMarker, takeMarker } from './end-marker.js';
import { judge, NO_FOLDER, NO_SESSION } from './judge.js';
import { lookAtMany } from './looks.js';
import { checkNamesakes } from './namesakes.js';
import type { ScannerParts } from './parts.js';
import type { ScanMemory } from './scan-memory.js';
import { ScanWindow } from './scan-window.js';
import { tooLongProblem } from './session-folder.js';
import { Sidecars } from './sidecars.js';
import { stoppingOf, stopOnceThrough } from './stopping.js';
import { newestMs, take } from './take.js';
import { removeEmptyFolders } from './tree/empty-folders.js';

/** Files looked at while no session is active: people see why they wait, and one that starts finds them at rest already. */
const WINDOW_WHILE_STOPPED = 1_000;

/** What one scan did. */
export interface Scanned {
  readonly view: IncomingView;
  /** Files that were looked at. */
  readonly examined: number;
  /** Files that were handed to the queue. */
  readonly enqueued: number;
  /** Jobs by state, as the scan found them. */
  readonly jobs: Readonly<Record<string, number>>;
  /** Sentences about files that wait for a person. */
  readonly problems: readonly string[];
}

/**
 * One scan: lists the drop folder and what is to be read below it, looks at a window of the smallest names and at some that earlier windows moved past,
 * decides, enqueues, and tells what it saw. Its cost grows with the room in the queue, not with the backlog, beyond listing names.
 *
 * @throws VolumeError; LeaseLost
 */
export async function scanOnce(parts: ScannerParts, memory: ScanMemory, watch: Watch): Promise<Scanned> {
  const { completed = 0, ...jobs } = await parts.queue.getJobCounts(
    'waiting',
    'prioritized',
    'delayed',
    'active',
    'completed',
  );
  if (completed > COMPLETED_KEPT) await parts.trimCompleted();
  const open = Object.values(jobs).reduce((sum, count) => sum + count, 0);
  const fits = watch.session ? await memory.sessionFolder.fits(parts, watch.session) : false;
  const session = fits ? watch.session : null;
  const room = session ? Math.max(0, parts.rules.maxQueueSize - open) : 0;
  // twice the room, so that files that settle do not keep others from their first look
  const window = new ScanWindow(session ? 2 * room : WINDOW_WHILE_STOPPED, memory.aside);
  const entries = new Entries(memory.shown.entries, parts.clock.now().steadyMs);

  const stopping = await stoppingOf(parts, memory, watch);
  const sidecars = new Sidecars(parts);
  // that the drop folder itself was just read is the probe
  const blocked = new BlockedEntries(parts.volume, parts.layout.roots, () => Promise.resolve(true));
  const listing = await listDropFolder(parts, memory, window, entries, stopping, sidecars, blocked);
  await stopping?.listed(parts);
  await checkEnqueued(parts, memory, listing.enqueued, entries);
  await checkStanding(parts, memory, listing.standing, listing.standingCount, entries);
  await checkNamesakes(parts, memory, listing.namesakes, listing.namesakeCount, entries);
  const names = window.names();
  const looks = await lookAtMany(parts.volume, parts.layout.roots.incoming, names);
  const waits = session ? null : watch.session ? NO_FOLDER : NO_SESSION;
  const resting = judge(parts, memory, names, looks, waits, entries);
  const takers = await sidecars.complete(memory, resting, entries);
  const checksums = await sidecars.showAlone(memory, names, entries);
  const { others, marker } = splitMarker(takers, watch);
  let enqueued = session ? await take(parts, memory, others, room, session, entries) : 0;
  memory.blockedMarker = null;
  if (marker) {
    const waiting = othersWaiting(memory, listing, window, names, checksums, entries);
    // what stands in a folder that cannot be listed is not known
    const all = { ...waiting, count: waiting.count + blocked.paths.length };
    enqueued += await takeMarker(parts, memory, marker, all, room - enqueued, entries);
  } else memory.clearMarker = null;
  if (stopping) await stopOnceThrough(parts, memory, stopping, entries);
  for (const name of window.notThisTime(names)) entries.keep(name);
  await removeEmptyFolders(parts, listing.empty, blocked);

  const view: IncomingView = {
    seen: listing.seen,
    ...entries.counts,
    oldest_age_s: oldestAge(parts, memory, looks, entries),
    unexamined: window.passed,
  };
  await memory.shown.publish(parts, view, entries, memory.enqueued.keys());
  return {
    view,
    examined: names.length,
    enqueued,
    jobs,
    problems: [
      ...blocked.problems(),
      unreadableProblem(memory.aside.unreadable()),
      blockedMarkerProblem(memory),
      watch.session && !session ? tooLongProblem(watch.session) : null,
      watch.session ? null : sessionlessProblem(entries.counts.settling + window.passed),
    ].filter((sentence) => sentence !== null),
  };
}

/**
 * The age of the oldest file that was examined or put aside and still waits here, whole seconds; 0 where none does. A file that is held
 * is not looked at: it counts from when it was first seen to be.
 */
function oldestAge(
  parts: ScannerParts,
  memory: ScanMemory,
  looks: readonly (FileLook | null | VolumeError)[],
  entries: Entries,
): number {
  const { steadyMs, volumeMs } = parts.clock.now();
  const newest = looks.flatMap((look) =>
    look && !(look instanceof Error) && look.kind === 'file' ? [newestMs(look)] : [],
  );
  newest.push(...memory.aside.observations().map(newestMs));
  for (const { newestMs: at } of memory.enqueued.values()) if (at !== null) newest.push(at);
  let oldestMs = 0;
  for (const at of newest) oldestMs = Math.max(oldestMs, (volumeMs ?? steadyMs) - at);
  for (const { state, since } of entries.byName.values())
    if (state === 'held') oldestMs = Math.max(oldestMs, steadyMs - since);
  return Math.round(oldestMs / 1000);
}

/** Those that are held wait for something else. */
function sessionlessProblem(count: number): string | null {
  if (count === 0) return null;
  return `${count} file${count === 1 ? ' waits' : 's wait'} in the drop folder, and no session is active; start one with POST /v1/watch/start, or take ${count === 1 ? 'it' : 'them'} away`;
}

function unreadableProblem(names: string[]): string | null {
  if (names.length === 0) return null;
  return `${names.length} file${names.length === 1 ? '' : 's'} in the drop folder cannot be opened, the first is ${JSON.stringify(names.sort()[0])}; let Sluice's user read them, or take them away`;
}
