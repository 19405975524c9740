import { isDatePrefix, isEncodedSession, messageOf } from '@app/shared/domain';
import type { Watch } from '@app/shared/records';
import type { ScannerParts } from './parts.js';

/** Keeps the active session on the volume, so that it outlives Redis. */
export class SessionFile {
  /** The sentence for `problems` while the file cannot be written. */
  problem: string | null = null;
  private written: string | null = null;

  constructor(private readonly parts: ScannerParts) {}

  /** Writes what is active now, if that changed. Never throws: the session goes on without. */
  async keep(watch: Watch): Promise<void> {
    const { session } = watch;
    const text = JSON.stringify({
      enabled: watch.enabled,
      date_prefix: session?.datePrefix ?? null,
      session_name: session?.name ?? null,
      encoded_session: session?.encodedSession ?? null,
      started_at: session ? new Date(session.startedAt).toISOString() : null,
    });
    if (text === this.written) return;
    if (this.written !== null || watch.enabled) {
      const what = session
        ? `session started: ${session.datePrefix}/${session.encodedSession}`
        : 'session stopped';
      this.parts.log.info({ session: session?.encodedSession, date: session?.datePrefix }, what);
    }
    try {
      await this.parts.volume.writeText(this.parts.layout.sessionFile, `${text}\n`);
      this.written = text;
      this.problem = null;
    } catch (error) {
      this.problem = `The active session could not be kept on the volume, so it would be lost with the data of Redis: ${messageOf(error)}`;
    }
  }

  /** Makes the session on the volume active again. @returns its key, or null where there was none to restore */
  async restore(): Promise<string | null> {
    this.written = null;
    const text = await this.parts.volume.readText(this.parts.layout.sessionFile);
    const kept = text === null ? null : parse(text);
    if (!kept?.enabled || typeof kept.date_prefix !== 'string' || typeof kept.encoded_session !== 'string')
      return null;
    if (!isDatePrefix(kept.date_prefix) || !isEncodedSession(kept.encoded_session)) return null;
    const restored = await this.parts.sessions.restore({
      datePrefix: kept.date_prefix,
      encodedSession: kept.encoded_session,
      name: String(kept.session_name),
      startedAt: Date.parse(String(kept.started_at)) || this.parts.now(),
    });
    return restored ? `${kept.date_prefix}/${kept.encoded_session}` : null;
  }
}

function parse(text: string): Record<string, unknown> | null {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return null;
  }
}
