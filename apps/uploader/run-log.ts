import type { Job } from 'bullmq';
import { messageOf, type DoneFacts } from '@app/shared/domain';
import type { ReadPayload, UploadPayload } from '@app/shared/queue';
import type { Moves } from '@app/shared/records';
import type { Logger } from '@app/shared/runtime';
import type { Hands } from './hands.js';
import type { UploaderMetrics } from './metrics.js';
import type { StepName } from './run.js';

/** Progress is told at most so often; milliseconds. */
const PROGRESS_EVERY_MS = 500;
/** A run that takes longer says each of its steps, a shorter one sums them up in its last line; milliseconds. */
const SHORT_MS = 1000;

/** What one run says: lines in the job's log, progress, metrics, and one line in the process's log at its end. */
export class RunLog {
  private readonly began = Date.now();
  private readonly timings: Partial<Record<StepName, number>> = {};
  /** Lines of steps that are not told yet. */
  private untold: string[] = [];
  private toldAt = 0;
  private sent = 0;
  private first = true;
  private pending: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly job: Job<UploadPayload>,
    private readonly payload: ReadPayload,
    private readonly parts: { moves: Moves; hands: Hands; metrics: UploaderMetrics },
    private readonly log: Logger,
  ) {}

  /** Runs a step and adds up its time. */
  async step<T>(name: StepName, work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    try {
      return await work();
    } finally {
      const ms = performance.now() - began;
      this.timings[name] = (this.timings[name] ?? 0) + ms;
      this.parts.metrics.step(name, ms);
      this.untold.push(`${new Date().toISOString()} ${name} took ${duration(ms)}`);
      this.tellSteps();
    }
  }

  /** Adds a line to the job's log, behind those of the steps before it. */
  note(line: string): void {
    this.tellSteps('now');
    this.tell(() => this.job.log(`${new Date().toISOString()} ${line}`));
  }

  /** Tells how many bytes are in the store. */
  progress(bytes: number, size: number): void {
    // what the store held already is no traffic of this run
    if (!this.first || size === bytes) this.parts.hands.countBytes(this.payload.session, bytes - this.sent);
    this.first = false;
    this.sent = bytes;
    if (Date.now() - this.toldAt < PROGRESS_EVERY_MS || bytes === size) return;
    this.toldAt = Date.now();
    this.tellSteps();
    this.tell(async () => {
      await this.job.updateProgress(progressOf(bytes, size));
      await this.parts.moves.progress(this.payload.session, this.payload.filename, bytes);
    });
  }

  /** Ends a run that moved its file: one line for people, one for the process's log. */
  async done(facts: DoneFacts): Promise<void> {
    const ms = Date.now() - this.began;
    const timings = Object.fromEntries(
      Object.entries(this.timings).map(([name, value]) => [`${name}_ms`, Math.round(value)]),
    );
    const steps = Object.entries(this.timings).map(([name, value]) => `${name} ${duration(value)}`);
    this.parts.metrics.done(facts.size);
    this.log.info({ size: facts.size, md5: facts.md5, blob: facts.blobUrl, ms, ...timings }, 'file done');
    this.tell(() => this.job.updateProgress(progressOf(facts.size, facts.size)));
    this.tellSteps();
    // the last line has them
    this.untold = [];
    this.note(`done in ${duration(ms)} (${steps.join(', ')})`);
    await this.pending;
  }

  /** Ends a run for which nothing was left to do. */
  skipped(why: string): void {
    this.parts.metrics.ended('skipped');
    this.log.debug(`skipped: ${why}`);
    this.note(`skipped: ${why}`);
  }

  /** Ends an attempt that failed and will be repeated. */
  failed(why: string): void {
    this.parts.metrics.ended('retry');
    this.log.warn(why);
    this.note(why);
  }

  /** Ends a run that met an outage. */
  outage(of: string, why: string): void {
    this.parts.metrics.outage(of);
    this.log.warn(why);
    this.note(why);
  }

  /** Ends a run whose file is quarantined now. */
  quarantined(why: string, code: string): void {
    this.parts.metrics.ended('quarantine');
    this.log.error({ code }, `quarantined: ${why}`);
    const { size } = this.payload;
    // a file that is brought back has no size in its job's data, and the size of before in its progress
    if (size !== null) this.tell(() => this.job.updateProgress(progressOf(Math.min(this.sent, size), size)));
    this.note(`quarantined: ${why}`);
  }

  private tellSteps(when: 'now' | 'if long' = 'if long'): void {
    if (this.untold.length === 0 || (when === 'if long' && Date.now() - this.began < SHORT_MS)) return;
    const lines = this.untold;
    this.untold = [];
    this.tell(async () => {
      for (const line of lines) await this.job.log(line);
    });
  }

  /** One after the other, and never in the way of the run: a log line is not worth a file. */
  private tell(what: () => Promise<unknown>): void {
    this.pending = this.pending
      .then(what)
      .catch((error: unknown) => this.log.debug(`job log: ${messageOf(error)}`));
  }
}

/** A job's progress. `progress` is the key that Bull Board draws; per cent, whole. */
export function progressOf(bytes: number, size: number): object {
  const percent = size === 0 ? 100 : Math.floor((100 * bytes) / size);
  return { progress: percent, percent, bytes, size };
}

function duration(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
