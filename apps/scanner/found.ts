import type { FileLook, SessionRef } from '@app/shared/domain';
import type { UploadPayload } from '@app/shared/queue';
import { addTraced } from './add-traced.js';
import type { BlockedEntries } from './blocked-entries.js';
import { isThere } from './looks.js';
import { mustLead, type ScannerParts } from './parts.js';
import type { SessionFolder } from './walk.js';

/** Jobs added per round trip, and files looked at at once. */
const BATCH = 500;

/** A file in a session's folder. */
export interface Found {
  readonly session: SessionRef;
  readonly filename: string;
}

/** Only one job of a name can exist: the older session goes first, the others wait for a later pass. */
export function firstOfEachName(folders: readonly SessionFolder[]): Found[] {
  const first = new Map<string, Found>();
  for (const { session, files } of folders)
    for (const filename of files) if (!first.has(filename)) first.set(filename, { session, filename });
  return [...first.values()];
}

/** The job of a file that was found in a session's folder. */
export function payloadOf({ session, filename }: Found): UploadPayload {
  return { date_prefix: session.datePrefix, encoded_session: session.encodedSession, filename };
}

/** Adds jobs, some at a time. @throws LeaseLost */
export async function addJobs(parts: ScannerParts, payloads: readonly UploadPayload[]): Promise<void> {
  for (let at = 0; at < payloads.length; at += BATCH) {
    mustLead(parts);
    await addTraced(parts, payloads.slice(at, at + BATCH));
  }
}

/**
 * The files that are still there, looked at past the caches of NFS: a listing may be older than what it lists. What is no
 * plain file any more is there too: an uploader says so of it. One that may not be looked at is noted as blocked.
 *
 * @throws VolumeError
 */
export async function confirmed<F extends Found>(
  parts: ScannerParts,
  files: readonly F[],
  pathOf: (file: F) => string,
  blocked: BlockedEntries,
): Promise<(F & { look: FileLook })[]> {
  const found: (F & { look: FileLook })[] = [];
  for (let at = 0; at < files.length; at += BATCH) {
    const batch = files.slice(at, at + BATCH);
    const looks = await Promise.all(
      batch.map((file) => blocked.attempt(pathOf(file), isThere(parts.volume, pathOf(file)), null)),
    );
    for (const [i, file] of batch.entries()) {
      const look = looks[i];
      if (look) found.push({ ...file, look });
    }
  }
  return found;
}
