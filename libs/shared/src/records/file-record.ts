import {
  FILE_STEPS,
  jobId,
  parseJson,
  parseSessionKey,
  sessionKey,
  type FileStep,
  type SessionRef,
} from '../domain/index.js';
import { readPayload, type JobState } from '../queue/index.js';

/** The states that records have; the others are the scanner's view of the drop folder. */
export const RECORD_STATES = ['queued', 'active', 'delayed', 'failed', 'done'] as const;
/** One of {@link RECORD_STATES}. */
export type RecordState = (typeof RECORD_STATES)[number];

/** The record of one drop. Times in milliseconds since 1970, sizes in bytes. */
export interface FileRecord {
  /** Grows with each drop. */
  readonly id: number;
  readonly filename: string;
  readonly session: SessionRef;
  readonly state: RecordState;
  readonly why: string;
  readonly size: number;
  /** Bytes in the store. */
  readonly progress: number;
  /** What the last uploader was at when it last said so; of records that are not done. */
  readonly step?: FileStep;
  /** Bytes that the step was through with. */
  readonly stepBytes?: number;
  readonly attempts: number;
  /** The code of the last error, or null. */
  readonly code: string | null;
  readonly blobUrl: string | null;
  readonly md5: string | null;
  readonly mtime: number | null;
  readonly queuedAt: number | null;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  readonly uploader: string | null;
  /** The ETag of its blob when it was verified, without quotes; of files whose receipt holds one (0.2 wrote none). */
  readonly etag?: string;
  /** The whole file's SHA-256, 64 hex digits, where its producer's checksum asked for it. */
  readonly sha256?: string;
  /** The access tier that was asked for when it was stored; missing where none was. */
  readonly tier?: string;
}

/** Whether a job's state says something else than its record. */
export function isElsewhere(recorded: RecordState, state: JobState | undefined): boolean {
  return (
    (state === 'queued' || state === 'active' || state === 'delayed' || state === 'failed') &&
    state !== recorded
  );
}

/** The record as its job shows it; unchanged where the job is another session's, or only stands for a quarantine. */
export function movedTo(
  record: FileRecord,
  state: JobState,
  data: string | null,
  reason: string | null,
): FileRecord {
  const payload = readPayload(jobId(record.filename), parseJson(data));
  if (typeof payload !== 'string') {
    if (sessionKey(payload.session) !== sessionKey(record.session)) return record;
    if (payload.quarantined && record.state === 'failed') return record;
  }
  switch (state) {
    case 'queued':
      return {
        ...record,
        state,
        why: record.state === 'failed' ? 'retried, waits for an uploader' : 'waits for an uploader',
      };
    case 'active':
      return { ...record, state, why: 'an uploader is at it' };
    case 'delayed':
      return { ...record, state };
    case 'failed':
      return { ...record, state, why: reason ?? 'its job failed without a reason' };
    default:
      return record;
  }
}

function stepOf(hash: Readonly<Record<string, string>>): Pick<FileRecord, 'step' | 'stepBytes'> {
  const step = FILE_STEPS.find((candidate) => candidate === hash.step);
  return step ? { step, stepBytes: Number(hash.step_bytes ?? 0) } : {};
}

/** Reads the hash of a record. @returns null where it is none that can be read */
export function readRecord(id: number, hash: Readonly<Record<string, string>>): FileRecord | null {
  const session = parseSessionKey(hash.session ?? '');
  const state = RECORD_STATES.find((candidate) => candidate === hash.state);
  if (!session || !state || hash.filename === undefined) return null;
  const number = (text: string | undefined) =>
    text === undefined || text === '' || !Number.isFinite(Number(text)) ? null : Number(text);
  return {
    id,
    filename: hash.filename,
    session,
    state,
    why: hash.why ?? '',
    size: Number(hash.size ?? 0),
    progress: Number(hash.progress ?? 0),
    ...stepOf(hash),
    attempts: Number(hash.attempts ?? 0),
    code: hash.code || null,
    blobUrl: hash.blob_url || null,
    md5: hash.md5 || null,
    mtime: number(hash.mtime),
    queuedAt: number(hash.queued_at),
    startedAt: number(hash.started_at),
    finishedAt: number(hash.finished_at),
    uploader: hash.pod || null,
    ...(hash.etag ? { etag: hash.etag } : {}),
    ...(hash.sha256 ? { sha256: hash.sha256 } : {}),
    ...(hash.tier ? { tier: hash.tier } : {}),
  };
}
