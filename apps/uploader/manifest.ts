import { createHash } from 'node:crypto';
import { blobName, blockId, messageOf, parseSessionKey, type SessionRef } from '@app/shared/domain';
import type { Manifests, Sessions } from '@app/shared/records';
import type { Logger } from '@app/shared/runtime';
import type { BlobStore } from './blob-store/blob-store.js';
import { PLAIN_LABELS } from './blob-store/writes.js';

/** How often finished sessions are looked for; milliseconds. */
const LOOK_MS = 2_000;
/** Bytes gathered before a block goes up: memory stays bounded however many files a session had. */
const BLOCK_BYTES = 4 * 1024 * 1024;
/** The manifest's name in its session's folder; no dropped file can have it. */
export const MANIFEST_NAME = '.manifest.jsonl';

/** Stores the manifest of each session that finishes, so that it outlives Redis (`APP_WRITE_MANIFEST`). */
export class ManifestWriter {
  private timer: NodeJS.Timeout | null = null;
  private writing: Promise<void> = Promise.resolve();
  private readonly stopped = new AbortController();

  constructor(
    private readonly sessions: Sessions,
    private readonly manifests: Manifests,
    private readonly store: BlobStore,
    private readonly log: Logger,
    /** Of all blobs; null where nobody has chosen one. A manifest has no other label: it is written again. */
    private readonly encryptionScope: string | null,
  ) {}

  /** Begins to look for finished sessions. */
  start(): void {
    this.timer = setTimeout(() => {
      this.writing = this.writeNext().finally(() => {
        if (!this.stopped.signal.aborted) this.start();
      });
    }, LOOK_MS);
  }

  /** Stops; a manifest under way is given to another uploader. */
  async stop(): Promise<void> {
    this.stopped.abort();
    if (this.timer) clearTimeout(this.timer);
    await this.writing;
  }

  private async writeNext(): Promise<void> {
    const key = await this.sessions.takeFinished().catch(() => null);
    const session = key === null ? null : parseSessionKey(key);
    if (key === null || session === null) return;
    try {
      const { files, missing } = await this.write(session);
      const about = { session: session.encodedSession, date: session.datePrefix, files };
      if (missing === 0) this.log.info(about, 'manifest stored');
      else
        this.log.warn(
          { ...about, missing },
          'manifest stored; it says how many files it lacks, whose records went by APP_HISTORY_MAX_FILES or APP_HISTORY_DAYS',
        );
    } catch (error) {
      this.log.warn(
        { session: session.encodedSession, date: session.datePrefix },
        `the manifest waits: ${messageOf(error)}`,
      );
      await this.sessions.putFinishedBack(key).catch(() => undefined);
    }
  }

  /** Writes the manifest in blocks, over the one of an earlier finish. @returns how many files it names and lacks */
  private async write(session: SessionRef): Promise<{ files: number; missing: number }> {
    const blob = blobName(session, MANIFEST_NAME);
    const { signal } = this.stopped;
    const there = await this.store.read(blob, signal);
    const ids: string[] = [];
    const put = async (text: string): Promise<void> => {
      const bytes = Buffer.from(text);
      const md5 = createHash('md5').update(bytes).digest();
      ids.push(blockId(ids.length, md5));
      await this.store.putBlock(blob, ids.at(-1) ?? '', bytes, md5, signal, this.encryptionScope);
    };
    const total = { files: 0, missing: 0 };
    let text = '';
    for await (const piece of this.manifests.of(session)) {
      total.files += piece.files;
      total.missing += piece.missing;
      text += piece.text;
      if (text.length < BLOCK_BYTES) continue;
      await put(text);
      text = '';
    }
    if (text !== '') await put(text);
    const condition = there.etag === null ? ({ absent: true } as const) : { etag: there.etag };
    const { encryptionScope } = this;
    const labels = { ...PLAIN_LABELS, contentType: 'application/x-ndjson', encryptionScope };
    const result = await this.store.commit(blob, ids, labels, condition, signal);
    if (!result.written) throw new Error('another uploader wrote it meanwhile');
    return total;
  }
}
