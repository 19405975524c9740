import { formatBytes } from '@app/shared/domain';
import type { FileRecord, IncomingEntry } from '@app/shared/records';
import type { FileView } from './files.dto.js';

/** A record as the api shows it. */
export function recordView(file: FileRecord): FileView {
  const percent =
    file.size === 0 ? (file.state === 'done' ? 100 : 0) : Math.floor((100 * file.progress) / file.size);
  const time = (at: number | null) => (at === null ? null : new Date(at).toISOString());
  return {
    filename: file.filename,
    state: file.state,
    why: whyOf(file, percent),
    session: { date_prefix: file.session.datePrefix, encoded_session: file.session.encodedSession },
    size: file.size,
    progress: { bytes: file.progress, percent },
    attempts: file.attempts,
    code: file.code,
    url: file.blobUrl,
    md5: file.md5,
    mtime: time(file.mtime),
    queued_at: time(file.queuedAt),
    started_at: time(file.startedAt),
    finished_at: time(file.finishedAt),
    uploader: file.uploader,
  };
}

function whyOf(file: FileRecord, percent: number): string {
  switch (file.state) {
    case 'done':
      return `done: ${file.why}${file.finishedAt === null ? '' : ` at ${new Date(file.finishedAt).toISOString()}`}`;
    case 'active':
      return file.progress > 0
        ? `active: ${percent} % of ${formatBytes(file.size)} are in the store`
        : `active: ${file.why}`;
    case 'queued':
      return `queued: ${file.why}`;
    case 'delayed':
      return `delayed: ${file.why}`;
    case 'failed':
      return file.why;
  }
}

/** A file in the drop folder as the api shows it; its age is told as of now. */
export function incomingView(filename: string, entry: IncomingEntry, now: number): FileView {
  const age = `${Math.max(0, Math.round((now - entry.since) / 1000))} s ago`;
  const why = entry.why.includes('since the last look')
    ? entry.why.replace('since the last look', age)
    : entry.state === 'settling'
      ? `${entry.why} (unchanged since ${age.replace(' ago', '')})`
      : entry.why;
  return {
    filename,
    state: entry.state,
    why,
    session: null,
    size: entry.size,
    progress: null,
    attempts: 0,
    code: null,
    url: null,
    md5: null,
    mtime: null,
    queued_at: null,
    started_at: null,
    finished_at: null,
    uploader: null,
  };
}
