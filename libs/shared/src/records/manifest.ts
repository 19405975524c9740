import { formatTimeMs, sessionKey, type SessionRef } from '../domain/index.js';
import type { FileRecord } from './file-record.js';
import type { History } from './history.js';
import type { Sessions } from './sessions.js';

/** A piece of a manifest. */
export interface ManifestPiece {
  /** Whole lines, NDJSON. */
  readonly text: string;
  /** Files that have a line in it. */
  readonly files: number;
  /** Done files that have none in the whole manifest; the last piece knows. */
  readonly missing: number;
}

/**
 * The manifest of a session: a line for each done file, in the order in which they were queued. Where some have none,
 * because their records went by the history limits, the last line says how many: `{"missing": 30}`. A file that is done
 * while the manifest is made may be counted as missing.
 */
export async function* manifest(
  history: History,
  sessions: Sessions,
  session: SessionRef,
): AsyncGenerator<ManifestPiece> {
  let files = 0;
  for await (const page of history.done(session)) {
    files += page.length;
    yield {
      text: page.map((file) => `${JSON.stringify(lineOf(file))}\n`).join(''),
      files: page.length,
      missing: 0,
    };
  }
  const [record] = await sessions.read([sessionKey(session)]);
  const missing = record ? record.files.done - files : 0;
  if (missing > 0) yield { text: `${JSON.stringify({ missing })}\n`, files: 0, missing };
}

/** Times ISO 8601, size in bytes, md5 in hex. */
function lineOf(file: FileRecord): object {
  return {
    name: file.filename,
    url: file.blobUrl,
    size: file.size,
    md5: file.md5,
    ...(file.sha256 === undefined ? {} : { sha256: file.sha256 }),
    mtime: formatTimeMs(file.mtime),
    attempts: file.attempts,
    started: formatTimeMs(file.startedAt),
    finished: formatTimeMs(file.finishedAt),
    uploader: file.uploader,
  };
}
