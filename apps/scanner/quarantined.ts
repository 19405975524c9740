import {
  blobName,
  foldedName,
  jobId,
  parseJson,
  reasonFileName,
  shortReasonFileName,
  type SessionRef,
} from '@app/shared/domain';
import { readReasonFile } from '@app/shared/files';
import { failedAfter, readReason, type QuarantineReason, type UploadPayload } from '@app/shared/queue';
import type { BlockedEntries } from './blocked-entries.js';
import { addJobs, confirmed, firstOfEachName, payloadOf } from './found.js';
import { removeOld } from './left-overs.js';
import { mustLead, type ScannerParts } from './parts.js';
import type { Standing } from './scan-memory.js';
import type { SessionFolder } from './walk.js';

const UNKNOWN: QuarantineReason = {
  code: 'Unknown',
  message: 'no reason is recorded',
  attempts: 0,
  first_attempt_at: null,
  last_attempt_at: null,
};

const UNREAD: QuarantineReason = { ...UNKNOWN, message: 'its reason may not be read' };

/**
 * Makes every quarantined file stand as failed again whose job is gone, and as queued whose job was retried. BullMQ
 * cannot create a failed job: one with a mark is added, and an uploader fails it with the stored reason, uncounted.
 *
 * @param unread paths of reasons that may not be read, kept from pass to pass
 * @throws VolumeError; LeaseLost
 */
export async function showQuarantined(
  parts: ScannerParts,
  folders: readonly SessionFolder[],
  standing: ReadonlyMap<string, Standing>,
  hands: ReadonlySet<string>,
  blocked: BlockedEntries,
  unread: Set<string>,
): Promise<void> {
  for (const path of unread)
    if ((await blocked.attempt(path, parts.volume.readText(path), undefined)) !== undefined)
      unread.delete(path);
  const quarantined = firstOfEachName(folders).filter(
    ({ session, filename }) =>
      standing.get(filename)?.place !== 'processing' && !hands.has(blobName(session, filename)),
  );
  const states = await parts.states(quarantined.map(({ filename }) => jobId(filename)));
  // sent back to work by somebody who could not record it any more
  await parts.moves.retried(quarantined.filter((_, i) => states[i] === 'queued'));
  const without = quarantined.flatMap((file, i) =>
    states[i] === 'missing' || states[i] === 'completed'
      ? [{ ...file, ended: states[i] === 'completed' }]
      : [],
  );
  const found = await confirmed(
    parts,
    without,
    ({ session, filename }) => parts.layout.failed(session, filename),
    blocked,
  );
  if (found.length === 0) return;
  const jobs: UploadPayload[] = [];
  for (const file of found) {
    const { session, filename, look, ended } = file;
    const reason = await reasonOf(parts, session, filename, blocked, unread);
    mustLead(parts);
    await parts.moves.quarantined(
      { session, filename, size: look.size },
      { why: failedAfter(reason), attempts: reason.attempts, code: reason.code, count: false },
    );
    if (ended) await parts.queue.remove(jobId(filename));
    jobs.push({ ...payloadOf(file), size: look.size, quarantined: reason });
  }
  await addJobs(parts, jobs);
  parts.log.info(
    { files: jobs.length, first: jobs[0]?.filename },
    `recovery found ${jobs.length} quarantined file${jobs.length === 1 ? '' : 's'}`,
  );
}

async function reasonOf(
  parts: ScannerParts,
  session: SessionRef,
  filename: string,
  blocked: BlockedEntries,
  unread: Set<string>,
): Promise<QuarantineReason> {
  for (const path of parts.layout.reasons(session, filename)) {
    const text = await blocked.attempt(path, readReasonFile(parts.volume, path), undefined);
    if (text === undefined && blocked.has(path)) {
      unread.add(path);
      return UNREAD;
    }
    if (text != null) return readReason(parseJson(text)) ?? UNKNOWN;
  }
  return UNKNOWN;
}

/** Removes reasons whose file was removed or brought back. @throws VolumeError; LeaseLost */
export async function removeOrphanReasons(
  parts: ScannerParts,
  folders: readonly SessionFolder[],
  blocked: BlockedEntries,
): Promise<void> {
  for (const { path, files, others } of folders) {
    // folded: a volume that folds names may keep the spelling of a reason that was there before
    const wanted = new Set(
      files.flatMap((name) => [reasonFileName(name), shortReasonFileName(name)].map(foldedName)),
    );
    for (const entry of others) {
      if (!entry.endsWith('.error.json') || wanted.has(foldedName(entry))) continue;
      // a reason is written before its file moves: only an old one has lost it
      await removeOld(parts, `${path}/${entry}`, blocked);
    }
  }
}
