import { jobId, messageOf, sessionKey, type SessionRef } from '@app/shared/domain';
import { readPayload, uploadJob } from '@app/shared/queue';
import type { FileRecord } from '@app/shared/records';
import type { ApiParts } from '../parts.js';

/** Records looked at per round trip. */
const PAGE = 200;
/** Jobs retried at once. */
const AT_ONCE = 50;

/**
 * Sends quarantined files back to work: their failed jobs wait again, their records say so, and an uploader moves the
 * files. Safe to repeat: what is back at work already counts nothing.
 *
 * @returns how many
 * @throws RedisAway; those that were retried before it stay so
 */
export async function retryFailed(
  parts: ApiParts,
  filter: { session: SessionRef | null; filenames: readonly string[] | null },
): Promise<number> {
  const { gate, history } = parts;
  const { session } = filter;
  let retried = 0;
  if (filter.filenames) {
    const names = [...new Set(filter.filenames)];
    for (let at = 0; at < names.length; at += AT_ONCE) {
      const batch = names.slice(at, at + AT_ONCE);
      const found = await gate.ask(() => Promise.all(batch.map((filename) => history.find(filename))));
      const wanted = found
        .flat()
        .filter((record) => session === null || sessionKey(record.session) === sessionKey(session));
      retried += await retryAll(parts, wanted);
    }
    return retried;
  }
  let before: number | null = null;
  do {
    const page: Awaited<ReturnType<typeof history.list>> = await gate.ask(() =>
      history.list({ states: ['failed'], session, before, limit: PAGE }),
    );
    retried += await retryAll(parts, page.records);
    before = page.next;
  } while (before !== null);
  return retried;
}

/** Retries those that are failed: a record whose job is back at work shows another state. */
async function retryAll(parts: ApiParts, records: readonly FileRecord[]): Promise<number> {
  const failed = records.filter((record) => record.state === 'failed');
  let retried = 0;
  for (let at = 0; at < failed.length; at += AT_ONCE) {
    const batch = failed.slice(at, at + AT_ONCE);
    const done = await Promise.all(batch.map((record) => parts.gate.ask(() => retryOne(parts, record))));
    retried += done.filter(Boolean).length;
    // the jobs first: a record that says queued while its job stands failed would be found by no other retry
    await parts.gate.ask(() => parts.moves.retried(batch));
  }
  return retried;
}

async function retryOne({ queue, log }: ApiParts, { session, filename }: FileRecord): Promise<boolean> {
  const payload = { date_prefix: session.datePrefix, encoded_session: session.encodedSession, filename };
  const id = jobId(filename);
  const job = await queue.getJob(id);
  if (!job) {
    // removed in Bull Board: a job without the mark, whose file is in quarantine, is a retry
    const { name, data, opts } = uploadJob(payload);
    await queue.add(name, data, opts);
    return true;
  }
  if (await job.isFailed()) {
    await job.updateData(payload);
    try {
      await job.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true });
    } catch (error) {
      if (await job.isFailed()) throw error;
      // somebody else was faster
      log.debug({ job: id }, `not retried: ${messageOf(error)}`);
      return false;
    }
    return true;
  }
  // waits to be shown as failed, after Redis lost its data: without its mark it is a retry
  const waiting = readPayload(id, job.data);
  if (typeof waiting === 'string' || !waiting.quarantined || !(await job.isWaiting())) return false;
  await job.updateData(payload);
  return true;
}
