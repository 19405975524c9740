import { isDatePrefix, isEncodedSession, messageOf, VolumeError } from '@app/shared/domain';
import type { Watch } from '@app/shared/records';
import type { ScannerParts } from './parts.js';

/** Keeps the active session on the volume, so that it outlives Redis. */
export class SessionFile {
  /** The sentence for `problems` while the file cannot be written. */
  problem: string | null = null;
  private written: string | null = null;
  private told: string | null = null;

  constructor(private readonly parts: ScannerParts) {}

  /** Reads what the volume says; when this scanner takes the lead. @throws VolumeError */
  async load(): Promise<void> {
    const text = await this.parts.volume.readText(this.parts.layout.sessionFile).catch((error: unknown) => {
      // what is no readable file says nothing; what the volume cannot tell now is asked again
      if (error instanceof VolumeError && error.disposition !== 'outage') return null;
      throw error;
    });
    this.written = this.told = text?.trimEnd() ?? null;
    this.problem = null;
  }

  /** Writes what is active now, if that changed, and logs it once. Never throws: the session goes on without. */
  async keep(watch: Watch): Promise<void> {
    const { session } = watch;
    const text = JSON.stringify({
      enabled: watch.enabled,
      date_prefix: session?.datePrefix ?? null,
      session_name: session?.name ?? null,
      encoded_session: session?.encodedSession ?? null,
      started_at: session ? new Date(session.startedAt).toISOString() : null,
    });
    this.tell(text, watch);
    if (text === this.written) return;
    try {
      await this.parts.volume.writeText(this.parts.layout.sessionFile, `${text}\n`);
      this.written = text;
      this.problem = null;
    } catch (error) {
      this.problem = `the active session could not be kept on the volume, so it would be lost with the data of Redis: ${messageOf(error)}`;
    }
  }

  /** Makes the session on the volume active again. @returns its key, or null where there was none to restore */
  async restore(): Promise<string | null> {
    const kept = this.written === null ? null : parse(this.written);
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

  private tell(text: string, { enabled, session }: Watch): void {
    if (text === this.told) return;
    const first = this.told === null;
    this.told = text;
    if (session)
      this.parts.log.info(
        { session: session.encodedSession, date: session.datePrefix },
        `session started: ${session.datePrefix}/${session.encodedSession}`,
      );
    else if (!enabled && !first) this.parts.log.info('session stopped');
  }
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
