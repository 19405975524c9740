import {
  decodeSession,
  FILE_STEPS,
  formatBytes,
  formatTimeMs,
  hintOf,
  type FileStep,
} from '@app/shared/domain';
import type { QueueBrakes } from '@app/shared/queue';
import type { FileRecord, IncomingEntry } from '@app/shared/records';
import type { FileView, StepBytes } from './files.dto.js';

/** A record as the api shows it. @param brakes what keeps queued files waiting */
export function recordView(file: FileRecord, brakes: QueueBrakes): FileView {
  const { datePrefix, encodedSession } = file.session;
  const step = file.state === 'active' ? (file.step ?? (file.progress > 0 ? 'uploading' : 'claiming')) : null;
  const bytes = step === 'staging' ? (file.stepBytes ?? 0) : file.progress;
  const percent = file.size === 0 ? (file.state === 'done' ? 100 : 0) : Math.floor((100 * bytes) / file.size);
  return {
    filename: file.filename,
    state: file.state,
    why: `${whyOf(file, step, bytes, percent)}${file.state === 'queued' ? whyBraked(brakes) : ''}`,
    session: {
      date_prefix: datePrefix,
      encoded_session: encodedSession,
      session_name: decodeSession(encodedSession),
    },
    size: file.size,
    progress: { bytes, percent },
    step,
    steps: step && stepsOf(step, file),
    attempts: file.attempts,
    code: file.code,
    hint: file.state === 'failed' ? hintOf(file.code) : null,
    url: file.blobUrl,
    md5: file.md5,
    sha256: file.sha256 ?? null,
    mtime: formatTimeMs(file.mtime),
    queued_at: formatTimeMs(file.queuedAt),
    started_at: formatTimeMs(file.startedAt),
    finished_at: formatTimeMs(file.finishedAt),
    uploader: file.uploader,
  };
}

/** What is before the step is through, what comes after it has not begun. */
function stepsOf(step: FileStep, { size, stepBytes = 0 }: FileRecord): StepBytes {
  const at = FILE_STEPS.indexOf(step);
  const bytes = FILE_STEPS.map((_, i) => (i < at ? size : i === at ? Math.min(stepBytes, size) : 0));
  return Object.fromEntries(FILE_STEPS.map((name, i) => [name, bytes[i]])) as unknown as StepBytes;
}

function whyOf(file: FileRecord, step: FileStep | null, bytes: number, percent: number): string {
  switch (file.state) {
    case 'done':
      return `done: ${file.why}${file.finishedAt === null ? '' : ` at ${formatTimeMs(file.finishedAt) ?? 'an unknown time'}`}`;
    case 'active':
      if (step === 'staging')
        return `staging: ${percent} % (${formatBytes(bytes)} of ${formatBytes(file.size)} are copied from the volume)`;
      if (step === 'verifying' || step === 'removing') return `${step}: all of it is in the store`;
      if (file.progress === 0) return `active: ${file.why}`;
      return `uploading: ${percent} % (${formatBytes(file.progress)} of ${formatBytes(file.size)} are in the store)`;
    case 'queued':
    case 'delayed':
      return file.why.startsWith('settling') ? file.why : `${file.state}: ${file.why}`;
    case 'failed':
      return file.why.startsWith('failed') ? file.why : `failed: ${file.why}`;
  }
}

/** Why a queued file waits longer than it would; empty where nothing is set. */
function whyBraked({ paused, concurrency, rateLimit }: QueueBrakes): string {
  const brakes = [
    ...(paused ? ['the queue is paused'] : []),
    ...(concurrency === null ? [] : [`the queue has a concurrency limit of ${concurrency}`]),
    ...(rateLimit === null
      ? []
      : [`the queue has a rate limit of ${rateLimit.max} in ${rateLimit.durationMs / 1000} s`]),
  ];
  return brakes.length === 0 ? '' : `; ${brakes.join(', ')} (Bull Board, /admin/queues)`;
}

/** A file in the drop folder as the api shows it. `now` in milliseconds since 1970. */
export function incomingView(filename: string, entry: IncomingEntry, now: number): FileView {
  return {
    filename,
    state: entry.state,
    why: withAge(entry, Math.max(0, Math.round((now - entry.since) / 1000))),
    session: null,
    size: entry.size,
    progress: null,
    step: null,
    steps: null,
    attempts: 0,
    code: null,
    hint: null,
    url: null,
    md5: null,
    sha256: null,
    mtime: null,
    queued_at: null,
    started_at: null,
    finished_at: null,
    uploader: null,
  };
}

/** The scanner's sentence, with an age as of now where one belongs. */
function withAge({ state, why }: IncomingEntry, seconds: number): string {
  if (why.includes('since the last look')) return why.replace('since the last look', `${seconds} s ago`);
  return state === 'settling' ? `${why} (as it is now since ${seconds} s)` : why;
}
