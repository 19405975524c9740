import { WaitingError } from 'bullmq';
import { Interrupted, messageOf, OUTAGE_DELAY_MAX_MS, type Outcome } from '@app/shared/domain';
import { failedAfter, holdsLock, type QuarantineReason, type ReadPayload } from '@app/shared/queue';
import { inWords, type HeldJob } from './held-job.js';
import { judge } from './judge.js';
import type { ProcessorParts } from './parts.js';
import { progressOf, type RunLog } from './run-log.js';
import type { Run } from './run.js';
import { quarantine } from './steps/quarantine.js';

const GONE = 'the file is gone from the volume';
const TAKEN = 'another file of this name is quarantined; this one is held in the drop folder';

/** Sets files aside that cannot be moved, and lets their jobs stand as failed. */
export class Quarantining {
  constructor(private readonly parts: ProcessorParts) {}

  /**
   * Ends a run whose file cannot be moved.
   *
   * @returns why nothing was left to do, or the outage that kept the file from its place
   * @throws UnrecoverableError once the file stands in `<failed>`; Interrupted where the job's lock is lost
   */
  async end(
    job: HeldJob,
    run: Run,
    cause: { code: string; why: string },
    attempts: number,
    runLog: RunLog,
  ): Promise<Extract<Outcome, { kind: 'outage' | 'skipped' }>> {
    const { moves, tools } = this.parts;
    const at = new Date().toISOString();
    const reason: QuarantineReason = {
      code: cause.code,
      message: cause.why,
      attempts,
      first_attempt_at: run.payload.firstAttemptAt ?? at,
      last_attempt_at: at,
    };
    try {
      const moved = await quarantine(run, reason, tools, cause.code === 'NotAPlainFile');
      if (moved !== 'moved') {
        const why = moved === 'gone' ? GONE : TAKEN;
        await moves.forget(run.session, run.filename, run.lock);
        runLog.skipped(why);
        return { kind: 'skipped', why };
      }
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      const outcome = await judge(error, tools, run);
      const path = tools.layout.failed(run.session, run.filename);
      const why = `it could not be quarantined as ${path}: ${'why' in outcome ? outcome.why : messageOf(error)}`;
      return { kind: 'outage', of: 'volume', code: 'code' in outcome ? outcome.code : 'Error', why };
    }
    // only now that it has moved: a mark on a file that stays would have the next run set it aside, whatever was mended since.
    // A run that dies before this brings the file back and tries it once more, uncounted.
    await job.change({ quarantined: reason });
    const why = failedAfter(reason);
    await moves.quarantined(
      { session: run.session, filename: run.filename, size: run.payload.size ?? 0 },
      { why, attempts, code: cause.code, count: true },
      run.lock,
    );
    await moves.lastError(`${run.filename}: ${why}`);
    runLog.quarantined(why, cause.code);
    await job.beforeFailing(run.session, run.filename, reason);
    throw inWords(why);
  }

  /**
   * A job with the mark stands for a file in `<failed>`: recovery added it, or its uploader died in the quarantine,
   * which is then ended. The mark goes, and the job is shown as failed; nothing is counted twice.
   */
  async show(job: HeldJob, payload: ReadPayload, reason: QuarantineReason): Promise<unknown> {
    const { session, filename } = payload;
    const { redis, prefix, moves, tools, log } = this.parts;
    const stillOwned = () => holdsLock(redis, prefix, job.lock);
    const why = failedAfter(reason);
    try {
      const moved = await quarantine({ session, filename, payload, stillOwned }, reason, tools);
      if (moved !== 'moved') {
        await moves.forget(session, filename, job.lock);
        return { skipped: moved === 'gone' ? GONE : TAKEN };
      }
      const { attempts, code } = reason;
      const file = { session, filename, size: payload.size ?? 0 };
      await moves.quarantined(file, { why, attempts, code, count: true }, job.lock);
      if (payload.size !== null) await job.progress(progressOf(0, payload.size));
      await job.beforeFailing(session, filename, reason);
    } catch (error) {
      if (error instanceof Interrupted) throw new WaitingError();
      log.warn({ file: filename }, `its quarantine waits: ${messageOf(error)}`);
      return job.endDelayed(OUTAGE_DELAY_MAX_MS / 3);
    }
    throw inWords(why);
  }
}
