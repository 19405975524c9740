import { jobId, type SessionRef } from '@app/shared/domain';
import { uploadJob } from '@app/shared/queue';
import type { FileRecord } from '@app/shared/records';
import type { ApiParts } from '../parts.js';

/** Records looked at per round trip. */
const PAGE = 500;

/**
 * Sends quarantined files back to work: their failed jobs wait again, and an uploader moves the files. Safe to repeat:
 * what is back at work already counts nothing.
 *
 * @returns how many
 * @throws RedisAway
 */
export async function retryFailed(
  parts: ApiParts,
  filter: { session: SessionRef | null; filenames: readonly string[] | null },
): Promise<number> {
  const { gate, history } = parts;
  let retried = 0;
  if (filter.filenames) {
    for (const filename of new Set(filter.filenames)) {
      const records = await gate.ask(() => history.find(filename));
      const { session } = filter;
      const failed = records.filter(
        (record) => record.state === 'failed' && (session === null || sameSession(record.session, session)),
      );
      retried += await retryAll(parts, failed);
    }
    return retried;
  }
  for (let before: number | null = null; ;) {
    const page: FileRecord[] = await gate.ask(() =>
      history.list({ states: ['failed'], session: filter.session, before, limit: PAGE }),
    );
    if (page.length === 0) return retried;
    before = page.at(-1)?.id ?? 0;
    // a record whose job is back at work shows another state
    retried += await retryAll(
      parts,
      page.filter((record) => record.state === 'failed'),
    );
  }
}

async function retryAll(parts: ApiParts, records: readonly FileRecord[]): Promise<number> {
  const done = await Promise.all(records.map((record) => parts.gate.ask(() => retryOne(parts, record))));
  return done.filter(Boolean).length;
}

async function retryOne({ queue }: ApiParts, { session, filename }: FileRecord): Promise<boolean> {
  const payload = { date_prefix: session.datePrefix, encoded_session: session.encodedSession, filename };
  const job = await queue.getJob(jobId(filename));
  if (!job) {
    // removed in Bull Board: a job without the mark, whose file is in quarantine, is a retry
    const { name, data, opts } = uploadJob(payload);
    await queue.add(name, data, opts);
    return true;
  }
  if (!(await job.isFailed())) return false;
  await job.updateData(payload);
  await job.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true });
  return true;
}

function sameSession(a: SessionRef, b: SessionRef): boolean {
  return a.datePrefix === b.datePrefix && a.encodedSession === b.encodedSession;
}
