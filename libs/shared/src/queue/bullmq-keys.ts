import { version } from 'bullmq/package.json';

// What BullMQ keeps for itself and our scripts read all the same, in this one place: it may change in any release.

/** The queue's name, as Bull Board shows it; contract section 2. */
export const QUEUE_NAME = 'upload';
/** The queue of events for the webhook; contract section 6. */
export const NOTIFY_QUEUE = 'notify';
/** The releases of BullMQ whose Lua scripts were read for this file: major and minor. */
const KNOWN = '6.7';

/** The sentence for a BullMQ whose keys are not known; null where they are. Asked at start. */
export function bullmqFault(installed: string = version): string | null {
  if (installed.startsWith(`${KNOWN}.`)) return null;
  return (
    `this build has BullMQ ${installed}, and our scripts read keys of BullMQ ${KNOWN}: install that release, or compare ` +
    `libs/shared/src/queue/bullmq-keys.ts with its Lua scripts and change the number there`
  );
}

/** Fields of a job's hash. */
export const JOB_FIELDS = {
  /** What was added, JSON. */
  data: 'data',
  /** Attempts made. */
  attempts: 'atm',
  progress: 'progress',
  failedReason: 'failedReason',
} as const;

/** The hash of a job. */
export function jobKey(prefix: string, id: string): string {
  return `${prefix}:${QUEUE_NAME}:${id}`;
}

/** Who holds a job: a string that is its worker's token, and runs out. */
export function lockKey(prefix: string, id: string): string {
  return `${jobKey(prefix, id)}:lock`;
}

/**
 * The same for scripts whose first key is the prefix, as Lua functions: `job_key(id)`, `job_lock(id)`, `job_log(id)` (a
 * list of lines), and `jobs_in(state)`: the zset of `completed`, `failed` or `delayed` jobs. Those that wait or are active
 * stand in lists, which cannot be searched in constant time.
 */
export const JOB_KEYS = `
local function job_key(id) return KEYS[1] .. ':${QUEUE_NAME}:' .. id end
local function job_lock(id) return job_key(id) .. ':lock' end
local function job_log(id) return job_key(id) .. ':logs' end
local function jobs_in(state) return job_key(state) end
`;
