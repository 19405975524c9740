import { messageOf, type DoneFacts, type FileStep } from '@app/shared/domain';
import type { JobNotes, ReadPayload } from '@app/shared/queue';
import type { Moves } from '@app/shared/records';
import type { Logger } from '@app/shared/runtime';
import type { Hands } from './hands.js';
import type { UploaderMetrics } from './metrics.js';
import type { StepName } from './run.js';
import type { StillFile } from './still.js';

/** Progress is told at most so often; milliseconds. */
const PROGRESS_EVERY_MS = 500;
/** A run that takes longer says each of its steps, a shorter one sums them up in its last line; milliseconds. */
const SHORT_MS = 1000;

/** What the steps are called for people. */
const SHOWN: Readonly<Record<StepName, FileStep>> = {
  reserve: 'claiming',
  claim: 'claiming',
  stage: 'staging',
  upload: 'uploading',
  verify: 'verifying',
  remove: 'removing',
};

/** What one run says: lines in the job's log, progress, metrics, and one line in the process's log at its end. */
export class RunLog {
  private readonly began = Date.now();
  private readonly timings: Partial<Record<StepName, number>> = {};
  /** Lines that are not told yet. */
  private untold: { at: number; line: string }[] = [];
  /** Progress that is not told yet. */
  private reached: { bytes: number; size: number } | null = null;
  private progressAt = 0;
  private timer: NodeJS.Timeout | null = null;
  private sent = 0;
  private first = true;
  private at: { step: FileStep; bytes: () => number } = { step: 'claiming', bytes: () => 0 };
  /** What was last told of the step. */
  private told = 'claiming 0';
  private ticks: NodeJS.Timeout | null = null;
  /** When the step or its bytes last changed, and what they were; null while it waits for room, where nothing has to move. */
  private moved: { at: number; to: string } | null = null;

  constructor(
    /** Of the job. */
    private readonly id: string,
    private readonly payload: ReadPayload,
    private readonly parts: { moves: Moves; hands: Hands; metrics: UploaderMetrics; notes: JobNotes },
    private readonly log: Logger,
  ) {}

  /** Runs a step and adds up its time. */
  async step<T>(name: StepName, work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    this.begins(name);
    try {
      return await work();
    } finally {
      this.took(name, performance.now() - began);
    }
  }

  /** A step begins; `bytes` says how far it is. From now on it is told how far the run is, once it is no short one. */
  begins(name: StepName, bytes: () => number = () => (name === 'upload' ? this.sent : 0)): void {
    this.at = { step: SHOWN[name], bytes };
    this.moved = name === 'reserve' ? null : { at: performance.now(), to: '' };
    this.ticks ??= setInterval(() => this.tick(), PROGRESS_EVERY_MS);
  }

  /** The steps are over: what became of the file is said by others. */
  rests(): void {
    if (this.ticks) clearInterval(this.ticks);
    this.ticks = null;
  }

  /** For how long nothing has moved; null where nothing has to. */
  still(): StillFile | null {
    return (
      this.moved && {
        filename: this.payload.filename,
        step: this.at.step,
        ms: performance.now() - this.moved.at,
      }
    );
  }

  /** Adds up the time of a step. */
  took(name: StepName, ms: number): void {
    this.timings[name] = (this.timings[name] ?? 0) + ms;
    this.parts.metrics.step(name, ms);
    this.say(`${name} took ${duration(ms)}`);
    this.tellIn(this.began + SHORT_MS - Date.now());
  }

  /** Adds a line to the job's log, behind those of the steps before it. */
  note(line: string): void {
    this.say(line);
    this.tell(null);
  }

  /** Tells how many bytes are in the store. */
  progress(bytes: number, size: number): void {
    // what the store held already is no traffic of this run
    if (!this.first || size === bytes) this.parts.hands.countBytes(this.payload.session, bytes - this.sent);
    this.first = false;
    this.sent = bytes;
    this.reached = bytes === size ? null : { bytes, size };
    if (this.reached) this.tellIn(this.progressAt + PROGRESS_EVERY_MS - Date.now());
  }

  /** Ends a run that moved its file: one line for people, one for the process's log. */
  done(facts: DoneFacts): void {
    const ms = Date.now() - this.began;
    const timings = Object.fromEntries(
      Object.entries(this.timings).map(([name, value]) => [`${name}_ms`, Math.round(value)]),
    );
    const steps = Object.entries(this.timings).map(([name, value]) => `${name} ${duration(value)}`);
    this.parts.metrics.done(facts.size);
    this.log.info({ size: facts.size, md5: facts.md5, blob: facts.blobUrl, ms, ...timings }, 'file done');
    // the last line sums up those of a short run
    if (ms < SHORT_MS) this.untold = [];
    this.say(`done in ${duration(ms)} (${steps.join(', ')})`);
    this.tell(progressOf(facts.size, facts.size));
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
    this.say(`quarantined: ${why}`);
    this.tell(size === null ? null : progressOf(Math.min(this.sent, size), size));
  }

  private say(line: string): void {
    this.untold.push({ at: Date.now(), line });
  }

  /** Tells what is not told yet in so many milliseconds, so that a run that hangs has said how far it came. */
  private tellIn(ms: number): void {
    if (ms <= 0) this.tellRest();
    else this.timer ??= setTimeout(() => this.tellRest(), ms);
  }

  private tellRest(): void {
    const { reached } = this;
    this.tell(reached && progressOf(reached.bytes, reached.size));
    if (reached === null) return;
    this.reached = null;
    this.progressAt = Date.now();
    this.tellStep();
  }

  private tick(): void {
    const to = `${this.at.step} ${this.at.bytes()}`;
    if (this.moved && this.moved.to !== to) this.moved = { at: performance.now(), to };
    if (Date.now() - this.began >= SHORT_MS) this.tellStep();
  }

  /** Notes how far the step is, if that changed. */
  private tellStep(): void {
    const { step } = this.at;
    const bytes = this.at.bytes();
    if (this.told === `${step} ${bytes}`) return;
    this.told = `${step} ${bytes}`;
    const { session, filename } = this.payload;
    this.parts.moves
      .progress(session, filename, this.sent, step, bytes)
      .catch((error: unknown) => this.log.debug(`progress: ${messageOf(error)}`));
  }

  /**
   * Never in the way of the run: a log line is not worth a file. Calls on one connection keep their order, and come before
   * the one that completes the job.
   */
  private tell(progress: object | null): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    if (progress === null && this.untold.length === 0) return;
    const lines = this.untold.map(({ at, line }) => `${new Date(at).toISOString()} ${line}`);
    this.untold = [];
    this.parts
      .notes(this.id, progress, lines)
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
