import { setTimeout as pause } from 'node:timers/promises';
import type { Job } from 'bullmq';
import { jobId, messageOf, sessionKey, type SessionRef } from '@app/shared/domain';
import { uploadJob } from '@app/shared/queue';
import type { FileRecord } from '@app/shared/records';
import type { ApiParts } from '../parts.js';
import { RedisAway } from '../redis-gate.js';

/** Records looked at per round trip. */
const PAGE = 200;
/** Jobs retried at once. */
const AT_ONCE = 50;
/** For how long, and how often, a job is looked at that is about to fail; milliseconds. */
const FAILING_MS = 10_000;
const FAILING_POLL_MS = 50;

/**
 * Sends quarantined files back to work: their failed jobs wait again, their records say so, and an uploader moves the
 * files. Safe to repeat: what is back at work already counts nothing.
 *
 * @returns how many
 * @throws RedisAway; those that were retried before it stay so, and its message says how many
 */
export async function retryFailed(
  parts: ApiParts,
  filter: { session: SessionRef | null; filenames: readonly string[] | null },
): Promise<number> {
  let retried = 0;
  try {
    await retryEach(parts, filter, (count) => (retried += count));
  } catch (error) {
    if (retried === 0 || !(error instanceof RedisAway)) throw error;
    throw new RedisAway(
      `${error.message}; ${retried} were sent back to work before that, ask again for the others`,
    );
  }
  return retried;
}

async function retryEach(
  parts: ApiParts,
  filter: { session: SessionRef | null; filenames: readonly string[] | null },
  onRetried: (count: number) => void,
): Promise<void> {
  const { gate, history } = parts;
  const { session } = filter;
  if (filter.filenames) {
    const names = [...new Set(filter.filenames)];
    for (let at = 0; at < names.length; at += AT_ONCE) {
      const batch = names.slice(at, at + AT_ONCE);
      const found = await gate.ask(() => Promise.all(batch.map((filename) => history.find(filename))));
      const wanted = found
        .flat()
        .filter((record) => session === null || sessionKey(record.session) === sessionKey(session));
      await retryAll(parts, wanted, onRetried);
    }
    return;
  }
  let before: number | null = null;
  do {
    const page: Awaited<ReturnType<typeof history.list>> = await gate.ask(() =>
      history.list({ states: ['failed'], session, before, limit: PAGE }),
    );
    await retryAll(parts, page.records, onRetried);
    before = page.next;
  } while (before !== null);
}

/** Retries those that are failed: a record whose job is back at work shows another state. */
async function retryAll(
  parts: ApiParts,
  records: readonly FileRecord[],
  onRetried: (count: number) => void,
): Promise<void> {
  const failed = records.filter((record) => record.state === 'failed');
  for (let at = 0; at < failed.length; at += AT_ONCE) {
    const batch = failed.slice(at, at + AT_ONCE);
    const ended = await Promise.allSettled(batch.map((record) => retryOne(parts, record)));
    onRetried(ended.filter((one) => one.status === 'fulfilled' && one.value).length);
    for (const one of ended) if (one.status === 'rejected') throw one.reason;
    // the jobs first: a record that says queued while its job stands failed would be found by no other retry
    await parts.gate.ask(() => parts.moves.retried(batch));
  }
}

/** Each call has its own time limit: one that is slow must not make those before it look undone. */
async function retryOne(parts: ApiParts, { session, filename }: FileRecord): Promise<boolean> {
  const { queue, gate, retryData } = parts;
  const payload = { date_prefix: session.datePrefix, encoded_session: session.encodedSession, filename };
  const id = jobId(filename);
  const end = Date.now() + FAILING_MS;
  for (;;) {
    const { state, marked } = await gate.ask(() => retryData(id, payload));
    if (state === 'missing') {
      // removed in Bull Board: a job without the mark, whose file is in quarantine, is a retry
      const { name, data, opts } = uploadJob(payload);
      await gate.ask(() => queue.add(name, data, opts));
      return true;
    }
    if (state === 'failed') return sendBack(parts, id);
    if (state !== 'active' || !marked) return marked && (state === 'queued' || state === 'delayed');
    // its record says failed, and its job is about to
    if (Date.now() >= end) return false;
    await pause(FAILING_POLL_MS);
  }
}

async function sendBack({ queue, gate, log }: ApiParts, id: string): Promise<boolean> {
  const job = await gate.ask(() => queue.getJob(id));
  return job ? gate.ask(() => sendJobBack(job, log)) : false;
}

async function sendJobBack(job: Job, log: ApiParts['log']): Promise<boolean> {
  try {
    await job.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true });
    return true;
  } catch (error) {
    if (await job.isFailed()) throw error;
    // somebody else was faster
    log.debug({ job: job.id }, `not retried: ${messageOf(error)}`);
    return false;
  }
}
