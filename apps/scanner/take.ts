import {
  foldedName,
  jobId,
  millisecondsOf,
  sessionKey,
  sidecarNames,
  type DigestAlgorithm,
  type FileLook,
  type VolumeError,
} from '@app/shared/domain';
import type { Watch } from '@app/shared/records';
import { addTraced } from './add-traced.js';
import type { Entries } from './entries.js';
import { QUARANTINED, UNDER_WAY } from './held.js';
import { lookAnewAtMany } from './looks.js';
import { heldFor } from './namesakes.js';
import { LeaseLost, mustLead, type ScannerParts } from './parts.js';
import type { ScanMemory } from './scan-memory.js';

/** Files enqueued per round trip. */
const BATCH = 500;

/** A file at rest. */
export interface Taker {
  readonly name: string;
  readonly look: FileLook;
  /** Names of the checksums beside it. */
  readonly sidecars?: readonly string[];
}

/** The session that files go to. */
type Session = NonNullable<Watch['session']>;

/**
 * Hands files at rest to the queue: those whose name is free, and that a look past the caches of NFS confirms. Only these
 * take room, of which there is `room`; the others are put aside.
 *
 * @returns how many were handed over
 * @throws VolumeError where no file could be opened; LeaseLost
 */
export async function take(
  parts: ScannerParts,
  memory: ScanMemory,
  takers: readonly Taker[],
  room: number,
  session: Session,
  entries: Entries,
): Promise<number> {
  const free = oneOfNamesakes(memory, await freeNames(parts, memory, takers, entries), entries);
  const errors: VolumeError[] = [];
  let [at, enqueued] = [0, 0];
  while (at < free.length && enqueued < room) {
    const batch = free.slice(at, at + Math.min(BATCH, room - enqueued));
    at += batch.length;
    const confirmed = await confirm(parts, memory, batch, entries, errors);
    await enqueue(parts, memory, confirmed, session);
    enqueued += confirmed.length;
  }
  const outage = errors.find(({ disposition }) => disposition === 'outage');
  if (outage && errors.length === at) throw outage;
  for (const { name, look } of free.slice(at)) {
    memory.aside.delete(name);
    entries.note(name, 'settling', 'settling: at rest, and waits for room in the queue', { size: look.size });
  }
  return enqueued;
}

/** Those whose name no job has. */
async function freeNames(
  parts: ScannerParts,
  memory: ScanMemory,
  takers: readonly Taker[],
  entries: Entries,
): Promise<(Taker & { ended: boolean })[]> {
  const states = await parts.states(takers.map(({ name }) => jobId(name)));
  return takers.flatMap((taker, i) => {
    const state = states[i];
    if (state === 'missing' || state === 'completed') return [{ ...taker, ended: state === 'completed' }];
    const why = state === 'failed' ? QUARANTINED : UNDER_WAY;
    entries.note(taker.name, 'held', why, { size: taker.look.size });
    putAside(memory, taker);
    return [];
  });
}

/** Of names that the volume takes for each other the first; the others are held. */
function oneOfNamesakes<T extends Taker>(memory: ScanMemory, takers: T[], entries: Entries): T[] {
  if (!memory.namesakes.folds) return takers;
  const first = new Map<string, string>();
  return takers.filter(({ name, look }) => {
    const folded = foldedName(name);
    const other = first.get(folded);
    if (other === undefined) first.set(folded, name);
    else entries.note(name, 'held', heldFor(name, other), { size: look.size });
    return other === undefined;
  });
}

/** Opens files: those that are as they were are answered, and errors are added to those of this scan. */
async function confirm(
  parts: ScannerParts,
  memory: ScanMemory,
  batch: readonly (Taker & { ended: boolean })[],
  entries: Entries,
  errors: VolumeError[],
): Promise<Taker[]> {
  const paths = batch.map(({ name }) => parts.layout.incoming(name));
  const looks = await lookAnewAtMany(parts.volume, paths);
  const confirmed: Taker[] = [];
  for (const [i, { ended, ...taker }] of batch.entries()) {
    const { name, look } = taker;
    const anew = looks[i];
    if (!anew) memory.aside.delete(name);
    else if (anew instanceof Error) {
      errors.push(anew);
      entries.note(name, 'settling', `settling: it cannot be opened: ${anew.code}`, { size: look.size });
      putAside(memory, { name, look }, true);
    } else if (anew.kind === 'file' && anew.size === look.size && anew.mtimeNs === look.mtimeNs) {
      // the last ones are kept for inspection, and would make this one vanish
      if (ended) await parts.queue.remove(jobId(name));
      memory.aside.delete(name);
      confirmed.push(taker);
    } else {
      entries.note(name, 'settling', 'settling: it changed since the last look', { size: look.size });
      putAside(memory, { name, look });
    }
  }
  // every further call would wait as long
  const late = errors.find(({ code }) => code === 'ETIMEDOUT');
  if (late && confirmed.length === 0) throw late;
  return confirmed;
}

/** Puts a file aside that waits for something, so that later names are looked at. */
export function putAside(memory: ScanMemory, { name }: Taker, unreadable = false): void {
  memory.aside.put(name, memory.seen.get(name)?.observation ?? null, unreadable);
}

async function enqueue(
  parts: ScannerParts,
  memory: ScanMemory,
  files: readonly Taker[],
  session: Session,
): Promise<void> {
  if (files.length === 0) return;
  mustLead(parts);
  const recorded = await parts.moves.queued(
    files.map(({ name, look }) => ({ session, filename: name, size: look.size })),
    parts.pod,
  );
  if (!recorded) throw new LeaseLost();
  const key = sessionKey(session);
  // remembered before: if adding fails half-way, the next scan finds out which jobs are missing
  for (const { name, look } of files)
    memory.enqueued.set(name, { session: key, newestMs: newestMs(look), underWay: false });
  memory.namesakes.add(files.map(({ name }) => name));
  await addTraced(
    parts,
    files.map(({ name, look, sidecars = [] }) => ({
      date_prefix: session.datePrefix,
      encoded_session: session.encodedSession,
      filename: name,
      size: look.size,
      mtime_ns: String(look.mtimeNs),
      ino: String(look.ino),
      ...(sidecars.length === 0 ? {} : { sidecars: algorithmsOf(name, sidecars) }),
    })),
  );
}

function algorithmsOf(name: string, sidecars: readonly string[]): DigestAlgorithm[] {
  return sidecarNames(name).flatMap((sidecar) =>
    sidecars.includes(sidecar.name) ? [sidecar.algorithm] : [],
  );
}

/** The later of a file's times, milliseconds since 1970. */
export function newestMs({ mtimeNs, ctimeNs }: Pick<FileLook, 'mtimeNs' | 'ctimeNs'>): number {
  return millisecondsOf(mtimeNs > ctimeNs ? mtimeNs : ctimeNs);
}
