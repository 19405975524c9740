import {
  fileNameFault,
  isDatePrefix,
  isEncodedSession,
  jobId,
  type DigestAlgorithm,
  type Observation,
  type SessionRef,
} from '../domain/index.js';

/** The reason of a quarantine, as the reason file and the job's mark hold it. Times are ISO 8601. */
export interface QuarantineReason {
  readonly code: string;
  readonly message: string;
  readonly attempts: number;
  readonly first_attempt_at: string | null;
  readonly last_attempt_at: string | null;
}

/** What a job carries. People can edit it in Bull Board, so it is read through {@link readPayload} alone. */
export interface UploadPayload {
  date_prefix: string;
  encoded_session: string;
  filename: string;
  /** Bytes as the scanner saw them; a hint. */
  size?: number;
  /** mtime in nanoseconds as the scanner saw it, decimal; a hint. */
  mtime_ns?: string;
  /** Inode as the scanner saw it, decimal: what tells this file from a later one of its name. */
  ino?: string;
  /** The kinds of checksums that the scanner saw beside it. */
  sidecars?: DigestAlgorithm[];
  /** Attempts that failed so far. */
  attempts?: number;
  /** Outages and other waits since the last attempt; they make the delay grow and count nothing. */
  waits?: number;
  /** How often in a row the file was found changed while it was in hand. */
  settles?: number;
  /** ISO 8601. */
  first_attempt_at?: string;
  /** What the last look at a claimed file that settles again left to remember. */
  observation?: { size: number; mtime_ns: string; ctime_ns: string; since: number; since_of?: string };
  /** Set on a job whose file stands in `<failed>`: it is shown as failed, with this reason. */
  quarantined?: QuarantineReason;
  /** BullMQ's count of attempts when the job was about to fail with that reason; it rises as the job fails. */
  failing_at?: number;
}

/** A payload that was checked: every path may be derived from it. */
export interface ReadPayload {
  readonly session: SessionRef;
  readonly filename: string;
  /** Bytes; null where the hint is missing or no number. */
  readonly size: number | null;
  readonly mtimeNs: bigint | null;
  readonly ino: bigint | null;
  readonly sidecars: readonly DigestAlgorithm[];
  readonly attempts: number;
  readonly waits: number;
  readonly settles: number;
  readonly firstAttemptAt: string | null;
  readonly observation: Observation | null;
  readonly quarantined: QuarantineReason | null;
  readonly failingAt: number | null;
}

/**
 * Checks a job's payload.
 *
 * @returns the payload, or the sentence that says what is wrong with it.
 */
export function readPayload(id: string | undefined, data: unknown): ReadPayload | string {
  if (typeof data !== 'object' || data === null) return 'the job has no data';
  const d = data as Record<string, unknown>;
  if (typeof d.date_prefix !== 'string' || !isDatePrefix(d.date_prefix))
    return 'date_prefix is not a day such as 20260131';
  if (typeof d.encoded_session !== 'string' || !isEncodedSession(d.encoded_session))
    return 'encoded_session is not an encoded session name';
  if (typeof d.filename !== 'string') return 'filename is not a text';
  const fault = fileNameFault(d.filename);
  if (fault) return `filename: ${fault}`;
  if (id !== jobId(d.filename))
    return `filename does not belong to this job's id; the id of that file is ${jobId(d.filename)}`;
  return {
    session: { datePrefix: d.date_prefix, encodedSession: d.encoded_session },
    filename: d.filename,
    size: count(d.size),
    mtimeNs: integer(d.mtime_ns),
    ino: integer(d.ino),
    sidecars: Array.isArray(d.sidecars)
      ? (['sha256', 'md5'] as const).filter((kind) => (d.sidecars as unknown[]).includes(kind))
      : [],
    attempts: count(d.attempts) ?? 0,
    waits: count(d.waits) ?? 0,
    settles: count(d.settles) ?? 0,
    firstAttemptAt: typeof d.first_attempt_at === 'string' ? d.first_attempt_at : null,
    observation: readObservation(d.observation),
    quarantined: readReason(d.quarantined),
    failingAt: count(d.failing_at),
  };
}

/**
 * Tells a quarantined file's job that somebody sent back to work from one whose uploader died before the job had failed:
 * both wait with their mark, but only the first one has failed since the mark was written.
 *
 * @param attemptsMade BullMQ's count of attempts of the job
 * @returns the payload of a retry, which begins anew; or the payload as it is
 */
export function withoutOldMark(payload: ReadPayload, attemptsMade: number): ReadPayload {
  const { session, filename, failingAt } = payload;
  if (failingAt === null || attemptsMade <= failingAt) return payload;
  return {
    ...{
      session,
      filename,
      size: null,
      mtimeNs: null,
      ino: null,
      sidecars: [],
      attempts: 0,
      waits: 0,
      settles: 0,
    },
    ...{ firstAttemptAt: null, observation: null, quarantined: null, failingAt: null },
  };
}

function readObservation(value: unknown): ReadPayload['observation'] {
  if (typeof value !== 'object' || value === null) return null;
  const o = value as Record<string, unknown>;
  const [size, mtimeNs, ctimeNs, since] = [
    count(o.size),
    integer(o.mtime_ns),
    integer(o.ctime_ns),
    count(o.since),
  ];
  return size === null || mtimeNs === null || ctimeNs === null || since === null
    ? null
    : {
        ...{ size, mtimeNs, ctimeNs, since },
        ...(typeof o.since_of === 'string' ? { sinceOf: o.since_of } : {}),
      };
}

/** Reads a reason from a mark or a reason file. @returns null where it is none. */
export function readReason(value: unknown): QuarantineReason | null {
  if (typeof value !== 'object' || value === null) return null;
  const r = value as Record<string, unknown>;
  return {
    code: typeof r.code === 'string' ? r.code : 'Unknown',
    message: typeof r.message === 'string' ? r.message : 'no reason is recorded',
    attempts: count(r.attempts) ?? 0,
    first_attempt_at: typeof r.first_attempt_at === 'string' ? r.first_attempt_at : null,
    last_attempt_at: typeof r.last_attempt_at === 'string' ? r.last_attempt_at : null,
  };
}

/** The sentence of a quarantine, as Bull Board, the api and the records show it. */
export function failedAfter(reason: QuarantineReason): string {
  const times = reason.attempts === 1 ? '1 attempt' : `${reason.attempts} attempts`;
  const what = reason.message.includes(reason.code) ? reason.message : `${reason.code}: ${reason.message}`;
  return `failed after ${times}: ${what}`;
}

function count(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

function integer(value: unknown): bigint | null {
  return typeof value === 'string' && /^-?\d{1,30}$/.test(value) ? BigInt(value) : null;
}
