import { blobName, messageOf } from '@app/shared/domain';
import { inHand } from '@app/shared/pods';
import { readPayload } from '@app/shared/queue';
import { BlockedEntries } from './blocked-entries.js';
import { stands } from './empty-handed.js';
import { mustLead, type ScannerParts } from './parts.js';

/**
 * Removes the jobs of unclaimed files that a Redis brought along when it went back in time. Their files may have been
 * through since: a new file of such a name would go to the older session, over what that one delivered. The scan finds
 * what still waits in the drop folder, for the session of now. Safe to repeat.
 *
 * @param before jobs that were added later are none of them; milliseconds since 1970
 * @returns false where a lock keeps one of them: ask again
 * @throws VolumeError; LeaseLost
 */
export async function dropStaleJobs(parts: ScannerParts, before: number): Promise<boolean> {
  const { queue, moves, log } = parts;
  const blocked = new BlockedEntries(parts.volume, parts.layout.roots);
  const hands = inHand(await parts.pods.alive());
  let [dropped, all] = [0, true];
  for (const job of await queue.getJobs(['waiting', 'prioritized', 'delayed', 'active'])) {
    // BullMQ gives undefined for a job that went meanwhile
    if (!job || job.timestamp > before) continue;
    const payload = readPayload(job.id, job.data);
    if (typeof payload === 'string') continue;
    const { session, filename } = payload;
    if (hands.has(blobName(session, filename))) continue;
    if (await stands(parts, { session, filename }, blocked)) continue;
    mustLead(parts);
    try {
      await job.remove();
    } catch (error) {
      log.debug(`the job of ${filename} stays: ${messageOf(error)}`);
      all = false;
      continue;
    }
    await moves.forget(session, filename);
    dropped += 1;
  }
  if (dropped > 0)
    log.warn(
      `${dropped} job${dropped === 1 ? '' : 's'} of before Redis went back in time ${dropped === 1 ? 'was' : 'were'} removed; files that still wait are found by the scan`,
    );
  return all;
}
