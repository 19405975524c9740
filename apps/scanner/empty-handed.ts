import { blobName, jobId, percentDecode } from '@app/shared/domain';
import { readPayload } from '@app/shared/queue';
import { liveFiles, type LiveFile } from '@app/shared/records';
import type { BlockedEntries } from './blocked-entries.js';
import { isThere } from './looks.js';
import { mustLead, type ScannerParts } from './parts.js';
import type { Standing } from './scan-memory.js';

/** Failed jobs, and records, looked at per pass. */
const PAGE = 1_000;
/** How long a failed job that is none of ours stays for people to see, before it frees the name; milliseconds. */
const INVALID_SHOWN_MS = 600_000;

/** Where the next pass goes on. */
export interface EmptyHanded {
  /** Where the next page of failed jobs begins. */
  failedAt: number;
  /** Where the next page of records begins. */
  cursor: string;
  /** Blob names of records that stood for nothing in the last pass. */
  suspects: ReadonlySet<string>;
}

/**
 * Removes failed jobs whose file stands neither in quarantine nor in its session's folder: somebody took it away,
 * which frees the name.
 *
 * @throws VolumeError; LeaseLost
 */
export async function dropJobsOfNothing(
  parts: ScannerParts,
  memory: EmptyHanded,
  standing: ReadonlyMap<string, Standing>,
  hands: ReadonlySet<string>,
  blocked: BlockedEntries,
): Promise<void> {
  const page = await parts.queue.getFailed(memory.failedAt, memory.failedAt + PAGE - 1);
  let dropped = 0;
  for (const job of page) {
    const payload = readPayload(job.id, job.data);
    if (typeof payload === 'string') {
      // edited past repair: where its file is in quarantine, the next pass shows that again with its reason
      const name = percentDecode((job.id ?? '').slice('f-'.length));
      const known = name !== null && standing.has(name);
      if (!known && parts.now() - (job.finishedOn ?? 0) < INVALID_SHOWN_MS) continue;
    } else {
      const { session, filename } = payload;
      if (standing.has(filename) || hands.has(blobName(session, filename))) continue;
      // quarantined or brought back since the folders were listed?
      if (await stands(parts, { session, filename }, blocked)) continue;
    }
    mustLead(parts);
    // one that runs again meanwhile is locked, and stays
    const removed = await job.remove().then(
      () => true,
      () => false,
    );
    if (!removed) continue;
    dropped += 1;
    if (typeof payload !== 'string') await parts.moves.forget(payload.session, payload.filename);
  }
  memory.failedAt = page.length < PAGE ? 0 : memory.failedAt + PAGE - dropped;
}

/**
 * Forgets records of files that are not done, have no job and stand nowhere: their file was taken away while they
 * waited. Seen in two passes, since a record is written before its job.
 *
 * @throws VolumeError; LeaseLost
 */
export async function dropRecordsOfNothing(
  parts: ScannerParts,
  memory: EmptyHanded,
  standing: ReadonlyMap<string, Standing>,
  hands: ReadonlySet<string>,
  blocked: BlockedEntries,
): Promise<void> {
  const again: LiveFile[] = [...memory.suspects].flatMap((blob) => split(blob));
  const page = await liveFiles(parts.redis, parts.prefix, memory.cursor, PAGE);
  const candidates = [...again, ...page.files].filter(
    ({ session, filename }) => !standing.has(filename) && !hands.has(blobName(session, filename)),
  );
  const states = await parts.states(candidates.map(({ filename }) => jobId(filename)));
  const suspects = new Set<string>();
  for (const [i, file] of candidates.entries()) {
    const blob = blobName(file.session, file.filename);
    if (states[i] !== 'missing' || suspects.has(blob)) continue;
    if (!memory.suspects.has(blob)) suspects.add(blob);
    else if (!(await stands(parts, file, blocked))) {
      mustLead(parts);
      await parts.moves.forget(file.session, file.filename);
    }
  }
  memory.suspects = suspects;
  memory.cursor = page.cursor;
}

function split(blob: string): LiveFile[] {
  const [datePrefix = '', encodedSession = '', ...rest] = blob.split('/');
  return [{ session: { datePrefix, encodedSession }, filename: rest.join('/') }];
}

/** Whether a file stands in a folder of its session, or may: what may not be looked at may be there. @throws VolumeError */
export async function stands(
  parts: ScannerParts,
  { session, filename }: LiveFile,
  blocked: BlockedEntries,
): Promise<boolean> {
  const { layout, volume } = parts;
  for (const path of [layout.failed(session, filename), layout.processing(session, filename)]) {
    const look = isThere(volume, path).then((found) => found !== null);
    if (await blocked.attempt(path, look, true)) return true;
  }
  return false;
}
