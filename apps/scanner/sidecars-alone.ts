import { dirname } from 'node:path';
import { blobName, fileOfSidecar, jobId, lastPart, type SessionRef } from '@app/shared/domain';
import type { BlockedEntries } from './blocked-entries.js';
import { isThere } from './looks.js';
import { mustLead, type ScannerParts } from './parts.js';
import { nameBelow, type SessionFolder } from './walk.js';

/** A checksum in a session's folder whose file does not stand beside it. */
interface Alone {
  readonly session: SessionRef;
  readonly name: string;
  readonly file: string;
}

/**
 * Brings checksums to their files that a process left alone when it died: to a quarantined file beside it, else back to the
 * drop folder, never over another. One whose file has a job, or is in a living pod's hand, is left to that; so is one that
 * is a file of its own, taken while no file had a checksum. Safe to repeat.
 *
 * @param folders of sessions below `.processing`
 * @throws VolumeError; LeaseLost
 */
export async function bringSidecarsBack(
  parts: ScannerParts,
  folders: readonly SessionFolder[],
  hands: ReadonlySet<string>,
  blocked: BlockedEntries,
): Promise<void> {
  if (parts.rules.sidecars === 'off') return;
  const { layout, volume, log } = parts;
  const alone = folders
    .flatMap(sidecarsAlone)
    .filter(({ session, file, name }) => ![file, name].some((each) => hands.has(blobName(session, each))));
  const ofFiles = await parts.states(alone.map(({ file }) => jobId(file)));
  const ofOwn = await parts.states(alone.map(({ name }) => jobId(name)));
  for (const [i, { session, name, file }] of alone.entries()) {
    if (
      [ofFiles[i], ofOwn[i]].some((state) => state === 'queued' || state === 'active' || state === 'delayed')
    )
      continue;
    const from = layout.processing(session, name);
    const beside = layout.processing(session, file);
    if (await blocked.attempt(beside, isThere(volume, beside), 'perhaps')) continue;
    const failed = layout.failed(session, file);
    const isFailed = await blocked.attempt(failed, isThere(volume, failed), null);
    const to = isFailed ? layout.failed(session, name) : layout.incoming(name);
    mustLead(parts);
    await blocked.attempt(to, volume.makeFolder(dirname(to)), undefined);
    const renamed = await blocked.attempt(from, volume.renameToFree(from, to), 'blocked');
    if (renamed === 'renamed') log.info({ file: name }, `recovery brought a checksum to ${dirname(to)}`);
  }
}

function sidecarsAlone({ session, below, files, others }: SessionFolder): Alone[] {
  const standing = new Set(files);
  return others.flatMap((entry) => {
    const name = nameBelow(below, entry);
    const file = entry.startsWith('.') ? null : fileOfSidecar(name);
    return file === null || lastPart(file) === '' || standing.has(file) ? [] : [{ session, name, file }];
  });
}
