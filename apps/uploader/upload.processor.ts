import { DelayedError, UnrecoverableError, WaitingError, type Job } from 'bullmq';
import type { Redis } from 'ioredis';
import {
  backoffMs,
  Interrupted,
  messageOf,
  OUTAGE_DELAY_MAX_MS,
  RETRY_DELAY_MAX_MS,
  takenOver,
  type Outcome,
} from '@app/shared/domain';
import {
  failedAfter,
  holdsLock,
  updateOwned,
  type JobLock,
  type QuarantineReason,
  type ReadPayload,
  type UploadPayload,
} from '@app/shared/queue';
import type { Moves, Sessions } from '@app/shared/records';
import type { Logger } from '@app/shared/runtime';
import { Ends } from './ends.js';
import type { Hands } from './hands.js';
import { judge } from './judge.js';
import type { Moved } from './move-file.js';
import type { UploaderMetrics } from './metrics.js';
import { progressOf, type RunLog } from './run-log.js';
import type { Run, Tools } from './run.js';
import { quarantine } from './steps/quarantine.js';
import type { StoreGate } from './store-gate.js';

const GONE = 'the file is gone from the volume';
const TAKEN = 'another file of this name is quarantined; this one is held in the drop folder';
/** What is said of an outage, by what is away. */
const AWAY = {
  store: 'the store is away',
  volume: 'the shared volume fails',
  staging: 'staging has no room',
  redis: 'Redis refuses to write',
} as const;

/** What the processor needs beside the steps' tools. */
export interface ProcessorParts {
  readonly redis: Redis;
  readonly prefix: string;
  readonly concurrency: number;
  readonly retryBackoffMs: number;
  readonly tools: Tools;
  readonly moves: Moves;
  readonly sessions: Sessions;
  readonly hands: Hands;
  readonly gate: () => StoreGate;
  readonly metrics: UploaderMetrics;
  readonly log: Logger;
}

/** Turns the outcome of each run into queue behaviour: the one place that does. */
export class UploadProcessor {
  private readonly waits = new Map<string, { sentence: string; until: number }>();
  /** Set once the process shuts down: what is handed back then needs no delay. */
  stopping = false;

  private readonly update;

  readonly ends: Ends;

  constructor(private readonly parts: ProcessorParts) {
    this.update = updateOwned(parts.redis, parts.prefix);
    this.ends = new Ends(parts.moves, parts.sessions, parts.tools.store, parts.log);
  }

  /** The sentences of files that wait for room or for the volume. Whoever goes on with a file says nothing here, so they fade. */
  waitingFor(now: number): string[] {
    for (const [blob, { until }] of this.waits) if (until < now) this.waits.delete(blob);
    return [...this.waits.values()].map(({ sentence }) => sentence);
  }

  /** Turns an outcome into queue behaviour. A run whose lock is lost changes nothing: the job may be a later file's. */
  async conclude(
    job: Job<UploadPayload>,
    token: string,
    run: Run,
    moved: Moved,
    runLog: RunLog,
  ): Promise<unknown> {
    try {
      return await this.turn(job, token, run, moved, runLog);
    } catch (error) {
      if (error instanceof Interrupted) return this.handBack(job, token, run, error.message, runLog);
      throw error;
    }
  }

  private async turn(
    job: Job<UploadPayload>,
    token: string,
    run: Run,
    moved: Moved,
    runLog: RunLog,
  ): Promise<unknown> {
    const { outcome } = moved;
    if (outcome.kind !== 'outage') this.waits.delete(run.blob);
    switch (outcome.kind) {
      case 'done':
        return this.done(run, outcome, moved.claim ?? '', runLog);
      case 'skipped':
        return this.skip(run, outcome.why, runLog);
      case 'retry':
        return this.retry(job, token, run, outcome, runLog);
      case 'quarantine':
        return this.quarantine(job, token, run, outcome, run.payload.attempts + 1, runLog);
      case 'outage':
        return this.outage(job, token, run, outcome, runLog);
      case 'settle': {
        const o = moved.observation;
        const observation = o && {
          size: o.size,
          mtime_ns: String(o.mtimeNs),
          ctime_ns: String(o.ctimeNs),
          since: o.since,
        };
        runLog.note(outcome.why);
        return this.delay(job, token, run, outcome.delayMs, outcome.why, {
          observation,
          size: o?.size,
          mtime_ns: observation?.mtime_ns,
        });
      }
      case 'interrupted':
        return this.handBack(job, token, run, outcome.why, runLog);
    }
  }

  private done(
    run: Run,
    outcome: Extract<Outcome, { kind: 'done' }>,
    claim: string,
    runLog: RunLog,
  ): unknown {
    const { facts } = outcome;
    runLog.done(facts);
    this.ends.add(run.session, run.blob, claim);
    return { blob_url: facts.blobUrl, size: facts.size, md5: facts.md5 };
  }

  private async retry(
    job: Job<UploadPayload>,
    token: string,
    run: Run,
    outcome: Extract<Outcome, { kind: 'retry' }>,
    runLog: RunLog,
  ): Promise<unknown> {
    const attempts = run.payload.attempts + 1;
    const why = `${outcome.code}: ${outcome.why}`;
    if (attempts >= this.parts.tools.rules.maxAttempts)
      return this.quarantine(job, token, run, outcome, attempts, runLog);
    await this.parts.moves.lastError(`${run.filename}: ${why}`);
    const delayMs = backoffMs(attempts, this.parts.retryBackoffMs, RETRY_DELAY_MAX_MS, Math.random());
    runLog.failed(`attempt ${attempts} failed, next in ${(delayMs / 1000).toFixed(1)} s: ${why}`);
    const first = run.payload.firstAttemptAt ?? new Date().toISOString();
    return this.delay(
      job,
      token,
      run,
      delayMs,
      `attempt ${attempts} failed: ${why}`,
      { attempts, waits: 0, first_attempt_at: first },
      outcome.code,
    );
  }

  private async outage(
    job: Job<UploadPayload>,
    token: string,
    run: Run,
    outcome: Extract<Outcome, { kind: 'outage' }>,
    runLog: RunLog,
  ): Promise<unknown> {
    const waits = run.payload.waits + 1;
    const sentence = `${AWAY[outcome.of]}: ${outcome.why}`;
    const delayMs = outcome.delayMs ?? backoffMs(waits, 1000, OUTAGE_DELAY_MAX_MS, Math.random());
    // a run that met a closed gate has nothing new to say
    if (outcome.code !== 'StoreAway') {
      if (outcome.of === 'store') this.parts.gate().close(outcome.why);
      else
        this.waits.set(run.blob, {
          sentence: `${run.filename} waits, ${sentence}`,
          until: Date.now() + delayMs + OUTAGE_DELAY_MAX_MS,
        });
      await this.parts.moves.lastError(`${run.filename}: ${outcome.code}: ${outcome.why}`);
      runLog.outage(outcome.of, sentence);
    }
    return this.delay(job, token, run, delayMs, sentence, { waits }, outcome.code);
  }

  private async quarantine(
    job: Job<UploadPayload>,
    token: string,
    run: Run,
    cause: { code: string; why: string },
    attempts: number,
    runLog: RunLog,
  ): Promise<unknown> {
    const at = new Date().toISOString();
    const reason: QuarantineReason = {
      code: cause.code,
      message: cause.why,
      attempts,
      first_attempt_at: run.payload.firstAttemptAt ?? at,
      last_attempt_at: at,
    };
    try {
      // the mark first: if this process dies in between, the next run ends the quarantine instead of beginning anew
      await this.change(job, run.lock, { ...job.data, quarantined: reason });
      const moved = await quarantine(run, reason, this.parts.tools);
      if (moved !== 'moved') return await this.skip(run, moved === 'gone' ? GONE : TAKEN, runLog);
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      const outcome = await judge(error, this.parts.tools.store);
      const why = `it could not be quarantined: ${messageOf(error)}`;
      return this.outage(
        job,
        token,
        run,
        { kind: 'outage', of: 'volume', code: 'code' in outcome ? outcome.code : 'Error', why },
        runLog,
      );
    }
    const why = failedAfter(reason);
    await this.parts.moves.quarantined(
      { session: run.session, filename: run.filename, size: run.payload.size ?? 0 },
      { why, attempts, code: cause.code, count: true },
      run.lock,
    );
    await this.parts.moves.lastError(`${run.filename}: ${why}`);
    runLog.quarantined(why, cause.code);
    await this.clean(job, run.payload, run.lock);
    throw inWords(why);
  }

  /**
   * A job with the mark stands for a file in `<failed>`: recovery added it, or its uploader died in the quarantine,
   * which is then ended. The mark goes, and the job is shown as failed; nothing is counted twice.
   */
  async showQuarantined(
    job: Job<UploadPayload>,
    token: string,
    payload: ReadPayload,
    reason: QuarantineReason,
  ): Promise<unknown> {
    const { session, filename } = payload;
    const { redis, prefix, moves, tools, log } = this.parts;
    const lock = { id: job.id ?? '', token };
    const stillOwned = () => holdsLock(redis, prefix, lock);
    const why = failedAfter(reason);
    try {
      const moved = await quarantine({ session, filename, payload, stillOwned }, reason, tools);
      if (moved !== 'moved') {
        await moves.forget(session, filename, lock);
        return { skipped: moved === 'gone' ? GONE : TAKEN };
      }
      const { attempts, code } = reason;
      const file = { session, filename, size: payload.size ?? 0 };
      await moves.quarantined(file, { why, attempts, code, count: true }, lock);
      if (payload.size !== null) await job.updateProgress(progressOf(0, payload.size));
      await this.clean(job, payload, lock);
    } catch (error) {
      if (error instanceof Interrupted) throw new WaitingError();
      log.warn({ file: filename }, `its quarantine waits: ${messageOf(error)}`);
      await job.moveToDelayed(Date.now() + OUTAGE_DELAY_MAX_MS / 3, token);
      throw new DelayedError();
    }
    throw inWords(why);
  }

  /** Ends a run for which nothing was left to do. */
  private async skip(run: Run, why: string, runLog: RunLog): Promise<unknown> {
    await this.parts.moves.forget(run.session, run.filename, run.lock);
    runLog.skipped(why);
    return { skipped: why };
  }

  /** Changes a job's data while it is this run's. @throws Interrupted where it no longer is */
  private async change(job: Job<UploadPayload>, lock: JobLock, data: UploadPayload): Promise<void> {
    if (!(await this.update(lock, data))) throw takenOver();
    job.data = data;
  }

  /** What a retry in Bull Board must find: a payload that begins anew. */
  private async clean(
    job: Job<UploadPayload>,
    { session, filename }: Pick<ReadPayload, 'session' | 'filename'>,
    lock: JobLock,
  ): Promise<void> {
    await this.change(job, lock, {
      date_prefix: session.datePrefix,
      encoded_session: session.encodedSession,
      filename,
    });
  }

  private async delay(
    job: Job<UploadPayload>,
    token: string,
    run: Run,
    delayMs: number,
    why: string,
    change: Partial<UploadPayload>,
    code?: string,
  ): Promise<never> {
    const attempts = change.attempts ?? run.payload.attempts;
    // a retried file begins anew, also in its data
    const anew = run.retried ? { attempts: 0, waits: 0 } : {};
    await this.change(job, run.lock, { ...job.data, ...anew, ...change });
    const rest = { state: 'delayed', why, attempts, code } as const;
    await this.parts.moves.rest(run.session, run.filename, run.id, rest, run.lock);
    await job.moveToDelayed(Date.now() + delayMs, token);
    throw new DelayedError();
  }

  /** Gives the job back: at once in a shutdown, else with a delay, or this same worker would take it again. */
  private async handBack(
    job: Job<UploadPayload>,
    token: string,
    run: Run,
    why: string,
    runLog: RunLog,
  ): Promise<never> {
    runLog.note(`handed back: ${why}`);
    try {
      const { attempts } = run.payload;
      const rest = { state: 'queued', why: 'handed back, waits for an uploader', attempts } as const;
      await this.parts.moves.rest(run.session, run.filename, run.id, rest, run.lock);
      if (this.stopping) await job.moveToWait(token);
      else await job.moveToDelayed(Date.now() + 1000, token);
    } catch (error) {
      // the lock is another run's: then so is the job
      runLog.note(`not handed back: ${messageOf(error)}`);
    }
    throw new WaitingError();
  }
}

/** A job's failure as Bull Board shows it: words, no stack of this program. */
export function inWords(why: string): UnrecoverableError {
  const error = new UnrecoverableError(why);
  error.stack = why;
  return error;
}
