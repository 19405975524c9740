import { decideStability, type FileLook, type Observation, type VolumeError } from '@app/shared/domain';
import type { IncomingView, Watch } from '@app/shared/records';
import { ignoredKind, listDropFolder } from './drop-folder.js';
import { Entries } from './entries.js';
import { checkEnqueued, checkStanding } from './held.js';
import { lookAtMany } from './looks.js';
import { checkNamesakes } from './namesakes.js';
import type { ScannerParts } from './parts.js';
import type { ScanMemory } from './scan-memory.js';
import { Smallest } from './smallest.js';
import { newestMs, take, type Taken, type Taker } from './take.js';

/** Files looked at while no session is active: people see why they wait, and one that starts finds them at rest already. */
const WINDOW_WHILE_STOPPED = 1_000;
const NO_SESSION = 'settling: no session is active; start one with POST /v1/watch/start';

/** What one scan did. */
export interface Scanned {
  readonly view: IncomingView;
  /** Files that were looked at. */
  readonly examined: number;
  /** Files that were handed to the queue. */
  readonly enqueued: number;
  /** Jobs by state, as the scan found them. */
  readonly jobs: Readonly<Record<string, number>>;
  /** The sentence about files that cannot be opened, or null. */
  readonly problem: string | null;
}

/**
 * One scan: lists the drop folder, looks at a window of the smallest names, decides, enqueues, and tells what it saw.
 * Its cost grows with the room in the queue, not with the backlog, beyond listing names.
 *
 * @throws VolumeError; LeaseLost
 */
export async function scanOnce(parts: ScannerParts, memory: ScanMemory, watch: Watch): Promise<Scanned> {
  const jobs = await parts.queue.getJobCounts('waiting', 'prioritized', 'delayed', 'active');
  const open = Object.values(jobs).reduce((sum, count) => sum + count, 0);
  const room = watch.session ? Math.max(0, parts.rules.maxQueueSize - open) : 0;
  // twice the room, so that files that settle do not keep others from their first look
  const window = new Smallest(watch.session ? 2 * room : WINDOW_WHILE_STOPPED);
  const entries = new Entries(memory.shown.entries, parts.clock.now().steadyMs);

  const listing = await listDropFolder(parts, memory, window, entries);
  await checkEnqueued(parts, memory, listing.enqueued, entries);
  await checkStanding(parts, memory, listing.standing, listing.standingCount, entries);
  await checkNamesakes(parts, memory, listing.namesakes, listing.namesakeCount, entries);
  const names = window.sorted();
  const looks = await lookAtMany(parts.volume, parts.layout.roots.incoming, names);
  const takers = decide(parts, memory, names, looks, watch, entries);
  const taken: Taken = watch.session
    ? await take(parts, memory, takers, room, watch.session, entries)
    : { enqueued: 0, unreadable: [] };

  const view: IncomingView = {
    seen: listing.seen,
    ...entries.counts,
    oldest_age_s: oldestAge(parts, memory, looks, entries),
    unexamined: window.passed,
  };
  await memory.shown.publish(parts, view, entries);
  return {
    view,
    examined: names.length,
    enqueued: taken.enqueued,
    jobs,
    problem: unreadableProblem(taken.unreadable),
  };
}

/** Judges each file of the window. @throws VolumeError where no look succeeded */
function decide(
  parts: ScannerParts,
  memory: ScanMemory,
  names: readonly string[],
  looks: readonly (FileLook | null | VolumeError)[],
  watch: Watch,
  entries: Entries,
): Taker[] {
  const first = looks[0];
  if (first instanceof Error && looks.every((look) => look instanceof Error)) throw first;
  // a round that was hurried must not stand for the second of two looks
  const rule = { minAgeMs: parts.rules.minFileAgeMs, apartMs: parts.rules.pollIntervalMs / 2 };
  const now = parts.clock.now();
  const observations = new Map<string, Observation>();
  const takers: Taker[] = [];
  for (const [i, name] of names.entries()) {
    const look = looks[i];
    // taken back by its producer, or claimed since it was listed
    if (!look) continue;
    if (look instanceof Error) {
      entries.note(name, 'settling', `settling: it cannot be looked at: ${look.code}`);
      continue;
    }
    if (look.kind !== 'file') {
      entries.note(name, 'ignored', ignoredKind(look.kind));
      continue;
    }
    const previous = memory.observations.get(name) ?? null;
    const verdict = decideStability(previous, look, now, rule);
    const { observation } = verdict;
    observations.set(name, observation);
    if (watch.session && verdict.stable) takers.push({ name, look });
    else
      entries.note(name, 'settling', watch.session ? timeless(verdict.why) : NO_SESSION, {
        size: look.size,
        since: observation.since,
      });
  }
  memory.observations = observations;
  return takers;
}

/** An age in a sentence goes stale at once; whoever shows it adds the age from `since`. */
function timeless(why: string): string {
  return why.replace(/[\d.]+ s old, ([\d.]+ s) needed/, 'it must rest for $1');
}

/**
 * The age of the oldest file that was examined and still waits here, whole seconds; 0 where none does. A file that is held
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
  for (const { newestMs: at } of memory.enqueued.values()) if (at !== null) newest.push(at);
  let oldestMs = 0;
  for (const at of newest) oldestMs = Math.max(oldestMs, (volumeMs ?? steadyMs) - at);
  for (const { state, since } of entries.byName.values())
    if (state === 'held') oldestMs = Math.max(oldestMs, steadyMs - since);
  return Math.round(oldestMs / 1000);
}

function unreadableProblem(names: readonly string[]): string | null {
  if (names.length === 0) return null;
  return `${names.length} file${names.length === 1 ? '' : 's'} in the drop folder cannot be opened, the first is ${JSON.stringify(names[0])}; let Sluice's user read them, or take them away`;
}
