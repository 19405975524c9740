import { jobId } from '@app/shared/domain';
import type { Entries } from './entries.js';
import { lookAtMany } from './looks.js';
import type { ScannerParts } from './parts.js';
import type { ScanMemory } from './scan-memory.js';

/** Why a name waits whose first file is on its way. */
export const UNDER_WAY = 'held: the first file of this name is under way';
/** Why a name waits that stands in quarantine. */
export const QUARANTINED = 'held: a file of this name is quarantined; retry it or remove it';

/**
 * Compares what is remembered as enqueued with Redis, in one call: a job that was lost or is complete is forgotten, so
 * that its name is looked at anew. A name that is still here two scans after its job began is a new drop if the first
 * file stands in its session's folder.
 *
 * @param listed names of the memory that the folder still has
 * @throws VolumeError
 */
export async function checkEnqueued(
  parts: ScannerParts,
  memory: ScanMemory,
  listed: ReadonlySet<string>,
  entries: Entries,
): Promise<void> {
  for (const name of memory.enqueued.keys()) if (!listed.has(name)) memory.enqueued.delete(name);
  const names = [...memory.enqueued.keys()];
  const states = await parts.states(names.map(jobId));
  const suspects: string[] = [];
  for (const [i, name] of names.entries()) {
    const state = states[i];
    const known = memory.enqueued.get(name);
    if (!known) continue;
    if (state === 'missing' || state === 'completed') memory.enqueued.delete(name);
    else if (state === 'queued') known.underWay = false;
    else if (!known.underWay) known.underWay = true;
    else if (state === 'failed') entries.note(name, 'held', QUARANTINED);
    else suspects.push(name);
  }
  const looks = await lookAtMany(
    parts.volume,
    parts.layout.roots.processing,
    suspects.map((name) => `${memory.enqueued.get(name)?.session}/${name}`),
  );
  for (const [i, name] of suspects.entries())
    if (looks[i] && !(looks[i] instanceof Error)) entries.note(name, 'held', UNDER_WAY);
}

/**
 * Holds names of which a file stands in a session's folder. Some of them are looked at again, so that a name is free
 * as soon as the first file is through.
 *
 * @param listed the first of these names; @param count how many the folder has
 * @throws VolumeError
 */
export async function checkStanding(
  parts: ScannerParts,
  memory: ScanMemory,
  listed: readonly string[],
  count: number,
  entries: Entries,
): Promise<void> {
  for (const place of ['processing', 'failed'] as const) {
    const files = listed.flatMap((name) => {
      const standing = memory.standing.get(name);
      return standing?.place === place ? [{ name, path: standing.path }] : [];
    });
    const looks = await lookAtMany(
      parts.volume,
      parts.layout.roots[place],
      files.map(({ path }) => path),
    );
    for (const [i, { name }] of files.entries()) {
      if (looks[i] === null) memory.standing.delete(name);
      else entries.note(name, 'held', place === 'failed' ? QUARANTINED : UNDER_WAY);
    }
  }
  entries.counts.held += count - listed.length;
}
