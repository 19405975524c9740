import type { Redis } from 'ioredis';
import { formatTimeMs, sessionKey, type SessionRef } from '../domain/index.js';
import type { FileRecord } from './file-record.js';
import type { History } from './history.js';
import { NewestDrop } from './newest-drop.js';
import type { Sessions } from './sessions.js';

/** Failed files read at once. */
const AT_ONCE = 500;

/** What a manifest can be asked for: a line for each done file, or for each failed one too. */
export const MANIFEST_STATES = ['done', 'all'] as const;
/** One of {@link MANIFEST_STATES}. */
export type ManifestState = (typeof MANIFEST_STATES)[number];

/** A piece of a manifest. */
export interface ManifestPiece {
  /** Whole lines, NDJSON. */
  readonly text: string;
  /** Files that have a line in it. */
  readonly files: number;
  /** Done files that have none in the whole manifest; the last piece knows. */
  readonly missing: number;
}

/** Makes the manifests of sessions, a page at a time. */
export class Manifests {
  private readonly newest;

  constructor(
    redis: Redis,
    prefix: string,
    private readonly history: History,
    private readonly sessions: Sessions,
  ) {
    this.newest = new NewestDrop(redis, prefix);
  }

  /**
   * The manifest of a session: a line for each done file, in the order in which they were queued, with `superseded` where
   * a later drop of the name has taken its place in the store. Of `all`, the failed files follow, newest first. Where some
   * done files have no line, because their records went by the history limits, the last line says how many:
   * `{"missing": 30}`. A file that is done while the manifest is made may be counted as missing.
   */
  async *of(session: SessionRef, state: ManifestState = 'done'): AsyncGenerator<ManifestPiece> {
    const superseded = this.newest.superseded(session);
    let files = 0;
    for await (const page of this.history.done(session)) {
      files += page.length;
      const replaced = await superseded(page);
      yield pieceOf(page, (file) => doneLine(file, replaced.has(file.id)));
    }
    if (state === 'all') yield* this.failed(session);
    const [record] = await this.sessions.read([sessionKey(session)]);
    const missing = record ? record.files.done - files : 0;
    if (missing > 0) yield { text: `${JSON.stringify({ missing })}\n`, files: 0, missing };
  }

  private async *failed(session: SessionRef): AsyncGenerator<ManifestPiece> {
    for (let before: number | null = null; ;) {
      const query = { states: ['failed'], session, before, limit: AT_ONCE } as const;
      const { records, next } = await this.history.list(query);
      // its job may be back at work without a word
      yield pieceOf(
        records.filter((file) => file.state === 'failed'),
        failedLine,
      );
      if (next === null) return;
      before = next;
    }
  }
}

function pieceOf(files: readonly FileRecord[], lineOf: (file: FileRecord) => object): ManifestPiece {
  const text = files.map((file) => `${JSON.stringify(lineOf(file))}\n`).join('');
  return { text, files: files.length, missing: 0 };
}

/** Times ISO 8601, size in bytes, md5 in hex. */
function doneLine(file: FileRecord, superseded: boolean): object {
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
    ...(superseded ? { superseded } : {}),
  };
}

/** The start of the last attempt, and when it was quarantined; null where that is not known. */
function failedLine(file: FileRecord): object {
  return {
    name: file.filename,
    state: file.state,
    size: file.size,
    code: file.code,
    why: file.why,
    attempts: file.attempts,
    started: formatTimeMs(file.startedAt),
    finished: formatTimeMs(file.finishedAt),
    uploader: file.uploader,
  };
}
