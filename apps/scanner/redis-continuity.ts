import { sessionKey } from '@app/shared/domain';
import type { Beat, Watch } from '@app/shared/records';
import type { ScannerParts } from './parts.js';
import type { SessionFile } from './session-file.js';
import { dropStaleJobs } from './stale-jobs.js';

/** How long a sentence about lost data stays; milliseconds. */
const SHOWN_MS = 24 * 3600_000;
const NOT_WATCHING: Watch = { enabled: false, session: null, changedAt: 0, stopping: null, labels: {} };

/** What a check found. */
export interface Checked {
  /** The session of now. */
  readonly watch: Watch;
  /** Whether what is remembered of files, and of what Redis knows of them, may be wrong. */
  readonly doubtful: boolean;
}

/** Finds out in each round whether Redis still knows all that it knew in the one before, and makes good what the volume knows. */
export class RedisContinuity {
  private lost: { readonly sentence: string; readonly at: number; readonly session: string | null } | null =
    null;
  private goneBack: Beat['goneBack'] = null;
  /** Jobs from before this time may be of files that are long through; null where there are none. */
  private staleBefore: number | null = null;

  constructor(
    private readonly parts: ScannerParts,
    private readonly sessionFile: SessionFile,
  ) {}

  /** Sentences for `problems`. */
  problems(): string[] {
    const { lost } = this;
    const sentence = lost && this.parts.now() - lost.at < SHOWN_MS ? lost.sentence : null;
    return [sentence, this.goneBackProblem()].filter((problem) => problem !== null);
  }

  /**
   * Counts a beat, and says which session is active: what the volume says, where that came later than what Redis says.
   *
   * @param doubt set where Redis may be another one than before; `lost` where it is known to have lost its data
   * @throws VolumeError; LeaseLost
   */
  async check(doubt: { readonly lost: boolean } | null): Promise<Checked> {
    const { parts, sessionFile } = this;
    const known = sessionFile.mark.beat;
    let beat = await parts.beats.beat(sessionFile.mark);
    const lost = (doubt?.lost ?? false) || (beat.before === 0 && known > 0);
    const wentBack = beat.before > 0 && beat.before < known;
    const restored = sessionFile.isLaterThan(beat.watch) ? await sessionFile.restore() : null;
    if (wentBack) {
      // before anybody takes the jobs of then for new ones
      this.staleBefore = parts.now();
      await this.dropStaleJobs();
      beat = await parts.beats.beat(sessionFile.mark, true);
    }
    const told = restored ? await parts.sessions.watch() : beat.watch;
    const watch = told ?? sessionFile.kept ?? NOT_WATCHING;
    sessionFile.mark = beat.mark;
    this.goneBack = beat.goneBack;
    if (wentBack) parts.log.warn(this.goneBackProblem() ?? '');
    else if (lost || restored) this.noteLost(watch, restored);
    if (this.lost && this.lost.session !== keyOf(watch)) this.lost = null;
    return { watch, doubtful: doubt !== null || lost || wentBack };
  }

  /** Removes jobs that a Redis brought along when it went back, and that could not be removed yet. @throws VolumeError; LeaseLost */
  async dropStaleJobs(): Promise<void> {
    if (this.staleBefore !== null && (await dropStaleJobs(this.parts, this.staleBefore)))
      this.staleBefore = null;
  }

  private noteLost(watch: Watch, restored: Watch | null): void {
    const at = this.parts.now();
    const session = keyOf(watch);
    const what =
      session === null
        ? 'no session was active'
        : restored
          ? `the session ${session} was restored from the volume`
          : `the session ${session} has been started since`;
    const sentence = `Redis lost its data at ${new Date(at).toISOString()} or before; ${what}, counters began again`;
    this.lost = { at, session, sentence };
    this.parts.log.warn(sentence);
  }

  private goneBackProblem(): string | null {
    if (!this.goneBack || this.parts.now() - this.goneBack.at > SHOWN_MS) return null;
    const [at, since] = [this.goneBack.at, this.goneBack.since].map((ms) => new Date(ms).toISOString());
    return `Redis went back in time at ${at} or before: records since ${since} may be missing`;
  }
}

function keyOf({ session }: Watch): string | null {
  return session && sessionKey(session);
}
