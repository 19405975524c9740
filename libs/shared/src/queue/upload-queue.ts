import { Queue, type JobsOptions } from 'bullmq';
import type { Redis } from 'ioredis';
import { jobId } from '../domain/index.js';
import { bindScript } from '../redis/index.js';
import { JOB_FIELDS, JOB_KEYS, lockKey, QUEUE_NAME } from './bullmq-keys.js';
import type { UploadPayload } from './payload.js';

/** Completed jobs kept for inspection. */
export const COMPLETED_KEPT = 500;
/** Completed jobs removed at once. */
const REMOVED_AT_ONCE = 1000;
/** Log lines kept of a job: each wait of a long outage adds one. */
const LINES_KEPT = 200;

/** The upload queue, typed. */
export type UploadQueue = Queue<UploadPayload>;

/** What Redis says of a job: `queued` waits its turn, `missing` is none at all. */
export type JobState = 'missing' | 'queued' | 'active' | 'delayed' | 'completed' | 'failed';

/**
 * Opens the queue on a connection of the caller's, who also closes that.
 *
 * @param onError called with each connection error; without it Node would end the process
 */
export function openUploadQueue(redis: Redis, prefix: string, onError: (error: Error) => void): UploadQueue {
  const queue: UploadQueue = new Queue(QUEUE_NAME, { connection: redis, prefix });
  queue.on('error', onError);
  return queue;
}

/**
 * A job as `addBulk` takes it. BullMQ makes one attempt and never retries by itself: attempts are counted in the
 * payload, because a retry in Bull Board gives BullMQ's own no new ones.
 *
 * @param carrier names the span that its runs are below, whichever process does them and however often
 */
export function uploadJob(
  payload: UploadPayload,
  carrier?: string,
): { name: string; data: UploadPayload; opts: JobsOptions } {
  return {
    name: QUEUE_NAME,
    data: payload,
    opts: {
      jobId: jobId(payload.filename),
      attempts: 1,
      // the scanner removes the oldest, many at once: BullMQ would look for them, and remove one, at the end of each
      removeOnComplete: false,
      removeOnFail: false,
      keepLogs: LINES_KEPT,
      ...(carrier === undefined ? {} : { telemetry: { metadata: carrier } }),
    },
  };
}

/**
 * The Lua function `job_state(id)`, for scripts whose first key is the prefix: the {@link JobState} of a job. A lock is
 * what makes a job active; the lists themselves cannot be searched in constant time.
 */
export const JOB_STATE = `${JOB_KEYS}
local function job_state(id)
  if redis.call('EXISTS', job_key(id)) == 0 then return 'missing' end
  for _, state in ipairs({'completed', 'failed', 'delayed'}) do
    if redis.call('ZSCORE', jobs_in(state), id) then return state end
  end
  if redis.call('EXISTS', job_lock(id)) == 1 then return 'active' end
  return 'queued'
end
`;
/**
 * The Lua function `job_data(id)`, after {@link JOB_STATE}: a job's data as a table, and whether it is marked as one whose
 * file is in quarantine. A mark is old once the job has failed since it was written: see `withoutOldMark`.
 */
export const JOB_DATA = `
local function job_data(id)
  local fields = redis.call('HMGET', job_key(id), '${JOB_FIELDS.data}', '${JOB_FIELDS.attempts}')
  local read, data = pcall(cjson.decode, fields[1] or '')
  if not read or type(data) ~= 'table' then return {}, false end
  local old = data.failing_at and tonumber(fields[2] or '0') > tonumber(data.failing_at)
  return data, type(data.quarantined) == 'table' and not old
end
`;
// the same as job_state of each, with a handful of commands for all of them: the scanner asks for every name in each scan
const STATES = `${JOB_STATE}
local all, locks, states = {}, {}, {}
for i, id in ipairs(ARGV) do all[i], locks[i] = job_key(id), job_lock(id) end
local whole = redis.call('EXISTS', unpack(all)) == #ARGV
local scores = {}
for _, state in ipairs({'completed', 'failed', 'delayed'}) do
  scores[state] = redis.call('ZMSCORE', jobs_in(state), unpack(ARGV))
end
local held = redis.call('MGET', unpack(locks))
for i in ipairs(ARGV) do
  if not whole and redis.call('EXISTS', all[i]) == 0 then states[i] = 'missing'
  elseif scores.completed[i] then states[i] = 'completed'
  elseif scores.failed[i] then states[i] = 'failed'
  elseif scores.delayed[i] then states[i] = 'delayed'
  else states[i] = held[i] and 'active' or 'queued' end
end
return states`;

/** Asks for the states of many jobs in one call per 1,000; the answer has the order of the ids. */
export function jobStates(redis: Redis, prefix: string): (ids: readonly string[]) => Promise<JobState[]> {
  const script = bindScript(redis, 'sluiceJobStates', prefix, STATES);
  return async (ids) => {
    const states: JobState[] = [];
    for (let at = 0; at < ids.length; at += 1000)
      states.push(...((await script(...ids.slice(at, at + 1000))) as JobState[]));
    return states;
  };
}

const TRIM_COMPLETED = `${JOB_KEYS}
local excess = math.min(redis.call('ZCARD', jobs_in('completed')) - ${COMPLETED_KEPT}, ${REMOVED_AT_ONCE})
if excess <= 0 then return 0 end
local ids, keys = redis.call('ZRANGE', jobs_in('completed'), 0, excess - 1), {}
for i, id in ipairs(ids) do
  keys[2 * i - 1] = job_key(id)
  keys[2 * i] = job_log(id)
end
redis.call('DEL', unpack(keys))
redis.call('ZREM', jobs_in('completed'), unpack(ids))
return excess`;

/**
 * Removes the oldest of more than {@link COMPLETED_KEPT} completed jobs, with their logs. Safe to repeat.
 *
 * @returns of the returned function: how many went
 */
export function trimCompleted(redis: Redis, prefix: string): () => Promise<number> {
  const script = bindScript(redis, 'sluiceTrimCompleted', prefix, TRIM_COMPLETED);
  return async () => {
    let removed = 0;
    for (let last = REMOVED_AT_ONCE; last === REMOVED_AT_ONCE; removed += last) last = Number(await script());
    return removed;
  };
}

/** What a run holds while its job is its own. */
export interface JobLock {
  /** The job's id. */
  readonly id: string;
  readonly token: string;
}

/** Whether the lock of a job is still held with this token; asked before anything that cannot be undone. */
export async function holdsLock(redis: Redis, prefix: string, { id, token }: JobLock): Promise<boolean> {
  return (await redis.get(lockKey(prefix, id))) === token;
}

const UPDATE = `${JOB_KEYS}
if redis.call('GET', job_lock(ARGV[1])) ~= ARGV[2] then return 0 end
redis.call('HSET', job_key(ARGV[1]), '${JOB_FIELDS.data}', ARGV[3])
return 1`;

/**
 * Changes a job's data while its lock is held, in one step: BullMQ's own `updateData` asks for no lock, and a job's id is
 * its file's name, so a run that slept would change the job of a later file.
 *
 * @returns of the returned function: false where the lock is lost; then nothing was changed
 */
export function updateOwned(
  redis: Redis,
  prefix: string,
): (lock: JobLock, data: UploadPayload) => Promise<boolean> {
  const script = bindScript(redis, 'sluiceJobUpdate', prefix, UPDATE);
  return async ({ id, token }, data) => (await script(id, token, JSON.stringify(data))) === 1;
}

const RETRY = `${JOB_STATE}${JOB_DATA}
local state = job_state(ARGV[1])
local _, marked = job_data(ARGV[1])
if state == 'failed' or (marked and (state == 'queued' or state == 'delayed')) then
  redis.call('HSET', job_key(ARGV[1]), '${JOB_FIELDS.data}', ARGV[2])
end
return {state, marked and 1 or 0}`;

/**
 * Gives the job of a quarantined file the data of one that moves it again: a failed one, and one that waits with the mark,
 * which is a retry without it. In one step, so that no uploader takes it in between. Any other stays as it is.
 *
 * @returns of the returned function: the job's state, and whether it had the mark
 */
export function retryData(
  redis: Redis,
  prefix: string,
): (id: string, data: UploadPayload) => Promise<{ state: JobState; marked: boolean }> {
  const script = bindScript(redis, 'sluiceJobRetry', prefix, RETRY);
  return async (id, data) => {
    const [state, marked] = (await script(id, JSON.stringify(data))) as [JobState, number];
    return { state, marked: marked === 1 };
  };
}

/** Says something of a job, by its id: its progress, lines of its log. */
export type JobNotes = (id: string, progress: object | null, lines: readonly string[]) => Promise<void>;

const NOTE = `${JOB_KEYS}
local job, log = job_key(ARGV[1]), job_log(ARGV[1])
if redis.call('EXISTS', job) == 0 then return 0 end
if ARGV[2] ~= '' then redis.call('HSET', job, '${JOB_FIELDS.progress}', ARGV[2]) end
if #ARGV > 2 and redis.call('RPUSH', log, unpack(ARGV, 3)) > ${LINES_KEPT} then redis.call('LTRIM', log, -${LINES_KEPT}, -1) end
return 1`;

/**
 * Sets a job's progress, where one is given, and adds lines to its log, in one call for both; BullMQ's own calls take one
 * for each. A job that is gone gets none.
 */
export function jobNotes(redis: Redis, prefix: string): JobNotes {
  const script = bindScript(redis, 'sluiceJobNote', prefix, NOTE);
  return async (id, progress, lines) => {
    await script(id, progress ? JSON.stringify(progress) : '', ...lines);
  };
}
