import { DelayedError, UnrecoverableError, type Job } from 'bullmq';
import { takenOver, type SessionRef } from '@app/shared/domain';
import type { JobLock, QuarantineReason, updateOwned, UploadPayload } from '@app/shared/queue';

/** A job whose lock a run holds. Once the lock is another's it changes nothing: the job may be a later file's. */
export class HeldJob {
  /** What the lock is held with. */
  readonly lock: JobLock;
  /** Names the span that its runs are below; see `uploadJob`. */
  readonly carrier: string | undefined;

  constructor(
    private readonly job: Job<UploadPayload>,
    private readonly token: string,
    private readonly update: ReturnType<typeof updateOwned>,
  ) {
    this.lock = { id: job.id ?? '', token };
    this.carrier = job.opts.telemetry?.metadata;
  }

  /** Changes some of the job's data; an older mark of a quarantine goes. @throws Interrupted where the lock is lost */
  async change(changes: Partial<UploadPayload>): Promise<void> {
    const { quarantined: _mark, failing_at: _at, ...data } = this.job.data;
    await this.write({ ...data, ...changes });
  }

  /**
   * Leaves what a retry in Bull Board begins anew with, and the mark for whoever finds the job again before it has failed.
   *
   * @throws Interrupted where the lock is lost
   */
  async beforeFailing(session: SessionRef, filename: string, quarantined: QuarantineReason): Promise<void> {
    await this.write({
      date_prefix: session.datePrefix,
      encoded_session: session.encodedSession,
      filename,
      quarantined,
      failing_at: this.job.attemptsMade,
    });
  }

  /** Shows this as the job's progress. */
  async progress(progress: object): Promise<void> {
    await this.job.updateProgress(progress);
  }

  /** Has the job taken again in so many milliseconds. @throws Error where the lock is lost */
  async delay(delayMs: number): Promise<void> {
    await this.job.moveToDelayed(Date.now() + delayMs, this.token);
  }

  /** The same, as the end of a processor. @throws DelayedError, by which BullMQ knows */
  async endDelayed(delayMs: number): Promise<never> {
    await this.delay(delayMs);
    throw new DelayedError();
  }

  /** Has the job taken again at once. @throws Error where the lock is lost */
  async wait(): Promise<void> {
    await this.job.moveToWait(this.token);
  }

  private async write(data: UploadPayload): Promise<void> {
    if (!(await this.update(this.lock, data))) throw takenOver();
    this.job.data = data;
  }
}

/** A job's failure as Bull Board shows it: words, no stack of this program. */
export function inWords(why: string): UnrecoverableError {
  const error = new UnrecoverableError(why);
  error.stack = why;
  return error;
}
