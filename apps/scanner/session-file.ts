import {
  fileNameFault,
  isDatePrefix,
  isEncodedSession,
  messageOf,
  parseObject,
  sessionKey,
  VolumeError,
} from '@app/shared/domain';
import { NO_BATCH, readLabelsOfSessions, type Batch, type BeatMark, type Watch } from '@app/shared/records';
import type { ScannerParts } from './parts.js';

/** How old the mark on the volume may become; milliseconds. */
const MARK_MS = 15_000;
const NO_MARK: BeatMark = { beat: 0, processedOk: 0, processedErr: 0 };

/** Keeps the active session on the volume, and how far Redis has come, so that both outlive Redis. */
export class SessionFile {
  /** The sentence for `problems` while the file cannot be written. */
  problem: string | null = null;
  /** How far Redis has come, as far as this scanner and the volume know. */
  mark: BeatMark = NO_MARK;
  /** What the volume says; null where it says nothing. */
  kept: Watch | null = null;
  private text: string | null = null;
  private markAt = 0;
  private told: string | null = null;

  constructor(private readonly parts: ScannerParts) {}

  /** Reads what the volume says; when this scanner takes the lead. @throws VolumeError */
  async load(): Promise<void> {
    const text = await this.parts.volume.readText(this.parts.layout.sessionFile).catch((error: unknown) => {
      // what is no readable file says nothing; what the volume cannot tell now is asked again
      if (error instanceof VolumeError && error.disposition !== 'outage') return null;
      throw error;
    });
    const note = parseObject(text);
    this.kept = note && readWatchOf(note);
    this.text = this.told = this.kept && textOf(this.kept);
    this.markAt = 0;
    this.problem = null;
    const mark = note ? readMarkOf(note) : NO_MARK;
    if (mark.beat > this.mark.beat) this.mark = mark;
  }

  /** Whether the volume knows of a start or a stop that came after the last one that Redis knows. */
  isLaterThan(watch: Watch | null): boolean {
    if (this.kept === null) return false;
    return watch === null ? this.kept.enabled : this.kept.changedAt > watch.changedAt;
  }

  /** Writes what is active now, if that changed, and how far Redis is, now and then. Never throws: all goes on without. */
  async keep(watch: Watch): Promise<void> {
    const text = textOf(watch);
    this.tell(text, watch);
    const now = this.parts.now();
    if (text === this.text && Math.abs(now - this.markAt) < MARK_MS) return;
    try {
      const { beat, processedOk, processedErr } = this.mark;
      const mark = { beat, processed_ok: processedOk, processed_err: processedErr };
      const note = JSON.stringify({ ...factsOf(watch), ...mark });
      await this.parts.volume.writeText(this.parts.layout.sessionFile, `${note}\n`);
      this.kept = watch;
      this.text = text;
      this.markAt = now;
      this.problem = null;
    } catch (error) {
      this.problem = `the active session could not be kept on the volume, so it would be lost with the data of Redis: ${messageOf(error)}`;
    }
  }

  /** Makes what the volume says hold in Redis again. @returns it, or null where there was nothing to restore */
  async restore(): Promise<Watch | null> {
    const { kept } = this;
    return kept !== null && (await this.parts.beats.restore(kept)) ? kept : null;
  }

  private tell(text: string, { enabled, session }: Watch): void {
    if (text === this.told) return;
    const first = this.told === null;
    this.told = text;
    if (session)
      this.parts.log.info(
        { session: session.encodedSession, date: session.datePrefix },
        `session started: ${sessionKey(session)}`,
      );
    else if (!enabled && !first) this.parts.log.info('session stopped');
  }
}

function factsOf({ enabled, session, changedAt, stopping, labels }: Watch): object {
  return {
    enabled,
    date_prefix: session?.datePrefix ?? null,
    session_name: session?.name ?? null,
    encoded_session: session?.encodedSession ?? null,
    started_at: session ? new Date(session.startedAt).toISOString() : null,
    changed_at: changedAt,
    ...(session && isBatch(session.batch) ? { batch: session.batch } : {}),
    ...(stopping === null ? {} : { stopping }),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
  };
}

function textOf(watch: Watch): string {
  return JSON.stringify(factsOf(watch));
}

function readWatchOf(note: Readonly<Record<string, unknown>>): Watch | null {
  const changedAt = number(note.changed_at);
  const { date_prefix: datePrefix, encoded_session: encodedSession } = note;
  const labels = readLabelsOfSessions(note.labels);
  if (note.enabled !== true) return { enabled: false, session: null, changedAt, stopping: null, labels };
  if (typeof datePrefix !== 'string' || typeof encodedSession !== 'string') return null;
  if (!isDatePrefix(datePrefix) || !isEncodedSession(encodedSession)) return null;
  const startedAt = Date.parse(String(note.started_at)) || Date.now();
  const batch = readBatchOf(note.batch);
  const session = { datePrefix, encodedSession, name: String(note.session_name), startedAt, batch };
  return { enabled: true, session, changedAt, stopping: number(note.stopping) || null, labels };
}

function isBatch({ files, bytes, endMarker }: Batch): boolean {
  return files !== null || bytes !== null || endMarker !== null;
}

function readBatchOf(value: unknown): Batch {
  if (typeof value !== 'object' || value === null) return NO_BATCH;
  const { files, bytes, endMarker } = value as Record<string, unknown>;
  return {
    files: number(files) || null,
    bytes: typeof bytes === 'number' ? number(bytes) : null,
    endMarker: typeof endMarker === 'string' && fileNameFault(endMarker) === null ? endMarker : null,
  };
}

function readMarkOf(note: Readonly<Record<string, unknown>>): BeatMark {
  return {
    beat: number(note.beat),
    processedOk: number(note.processed_ok),
    processedErr: number(note.processed_err),
  };
}

function number(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : 0;
}
