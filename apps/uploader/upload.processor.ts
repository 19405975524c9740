import { randomBytes } from 'node:crypto';
import { DelayedError, UnrecoverableError, WaitingError, Worker, type Job } from 'bullmq';
import type { Redis } from 'ioredis';
import {
  backoffMs,
  blobName,
  Interrupted,
  messageOf,
  OUTAGE_DELAY_MAX_MS,
  RETRY_DELAY_MAX_MS,
  sessionKey,
  type Outcome,
} from '@app/shared/domain';
import {
  holdsLock,
  QUEUE_NAME,
  readPayload,
  type QuarantineReason,
  type ReadPayload,
  type UploadPayload,
} from '@app/shared/queue';
import type { Moves, Sessions } from '@app/shared/records';
import type { Logger } from '@app/shared/runtime';
import { sharedSignal } from './blob-store/blob-store.js';
import type { Hands } from './hands.js';
import { judge } from './judge.js';
import { moveFile, type Moved } from './move-file.js';
import { RunLog } from './run-log.js';
import type { UploaderMetrics } from './metrics.js';
import type { Run, Tools } from './run.js';
import { quarantine } from './steps/quarantine.js';
import type { StoreGate } from './store-gate.js';

/**
 * Lock times: a killed uploader's lock runs out after 15 s at the most, and stalled jobs are looked for every 5 s in
 * two passes, so its files go on within 30 s. Renewal comes three times a lock, so a lost lock is noticed in half of it.
 */
const LOCK = { lockDuration: 15_000, lockRenewTime: 5_000, stalledInterval: 5_000 };
/** Deaths are counted by the pipeline, which can tell a file's fault from its worker's; BullMQ's own count is out of the way. */
const NEVER = 1_000_000_000;
/** After so many deaths a file is tried alone. */
const SUSPECT_DEATHS = 2;

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

/** Takes jobs from the queue and turns each outcome into queue behaviour: the one place that does. */
export class UploadProcessor {
  readonly worker: Worker<UploadPayload>;
  private readonly running = new Map<string, { jobId: string; controller: AbortController }>();
  private stopping = false;
  private readonly waits = new Map<string, { sentence: string; until: number }>();

  constructor(private readonly parts: ProcessorParts) {
    const { redis: connection, prefix, concurrency } = parts;
    this.worker = new Worker<UploadPayload>(QUEUE_NAME, (job, token) => this.process(job, token ?? ''), {
      connection,
      prefix,
      concurrency,
      ...LOCK,
      maxStalledCount: NEVER,
      autorun: false,
    });
    this.worker.on('error', (error) => parts.log.debug(`queue: ${messageOf(error)}`));
    // the abort signal of BullMQ does not fire by itself when a lock is lost
    this.worker.on('lockRenewalFailed', (ids) => {
      for (const { jobId, controller } of this.running.values()) if (ids.includes(jobId)) controller.abort();
    });
  }

  /** The sentences of files that wait for room or for the volume. Whoever goes on with a file says nothing here, so they fade. */
  waitingFor(now: number): string[] {
    for (const [blob, { until }] of this.waits) if (until < now) this.waits.delete(blob);
    return [...this.waits.values()].map(({ sentence }) => sentence);
  }

  /** Begins to take jobs. */
  start(): void {
    this.worker
      .run()
      .catch((error: unknown) => this.parts.log.warn(`the worker stopped: ${messageOf(error)}`));
  }

  /** Takes no new job, lets running files finish within the grace time, hands the rest back, and waits for them. */
  async stop(graceMs: number): Promise<void> {
    this.stopping = true;
    const closed = this.worker.close();
    const grace = setTimeout(() => {
      for (const { controller } of this.running.values()) controller.abort();
    }, graceMs);
    await closed;
    clearTimeout(grace);
  }

  private async process(job: Job<UploadPayload>, token: string): Promise<unknown> {
    const payload = readPayload(job.id, job.data);
    if (typeof payload === 'string') throw inWords(`InvalidJob: ${payload}`);
    if (payload.quarantined) return this.showQuarantined(job, payload, payload.quarantined);
    const id = randomBytes(8).toString('hex');
    const controller = new AbortController();
    this.running.set(id, { jobId: job.id ?? '', controller });
    try {
      return await this.attempt(job, token, payload, id, sharedSignal(controller.signal));
    } finally {
      this.running.delete(id);
    }
  }

  private async attempt(
    job: Job<UploadPayload>,
    token: string,
    payload: ReadPayload,
    id: string,
    signal: AbortSignal,
  ): Promise<unknown> {
    const { parts } = this;
    const blob = blobName(payload.session, payload.filename);
    const log = parts.log.child({
      file: payload.filename,
      session: payload.session.encodedSession,
      date: payload.session.datePrefix,
      job: job.id,
      attempt: payload.attempts + 1,
    });
    const runLog = new RunLog(job, payload, parts, log);
    const file = { session: payload.session, filename: payload.filename, size: payload.size ?? 0 };

    const begun = await parts.moves.begin(file, id, false, parts.tools.pod);
    const retried = begun.before === 'failed';
    const current: ReadPayload = retried
      ? { ...payload, attempts: 0, waits: 0, firstAttemptAt: null }
      : payload;
    const run: Run = {
      id,
      session: payload.session,
      filename: payload.filename,
      blob,
      payload: current,
      retried,
      signal,
      stillOwned: () => holdsLock(parts.redis, parts.prefix, job.id ?? '', token),
      step: (name, work) => runLog.step(name, work),
      note: (line) => runLog.note(line),
      progress: (bytes, size) => runLog.progress(bytes, size),
    };
    const suspect = begun.deaths >= SUSPECT_DEATHS;
    const moved = await parts.hands
      .hold(blob, suspect, signal, async () => {
        if (suspect) {
          if (begun.aloneDeaths >= parts.tools.rules.maxAttempts) return killsItsWorker(begun.aloneDeaths);
          log.warn(`its worker died ${begun.deaths} times, so it is tried alone`);
          await parts.moves.begin(file, id, true, parts.tools.pod);
        }
        if (!parts.gate().open)
          return {
            outcome: { kind: 'outage', of: 'store', code: 'StoreAway', why: 'the store is away' } as const,
          };
        return moveFile(run, parts.tools);
      })
      .catch(async (error: unknown): Promise<Moved> => {
        if (!(error instanceof Interrupted))
          log.debug({ stack: error instanceof Error ? error.stack : undefined }, 'the run met an error');
        return { outcome: await judge(error, parts.tools.store) };
      });
    return this.conclude(job, token, run, moved, runLog);
  }

  /** Turns an outcome into queue behaviour. */
  private async conclude(
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
        runLog.skipped(outcome.why);
        await this.parts.moves.forget(run.session, run.filename);
        return { skipped: outcome.why };
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

  private async done(
    run: Run,
    outcome: Extract<Outcome, { kind: 'done' }>,
    claim: string,
    runLog: RunLog,
  ): Promise<unknown> {
    const { facts } = outcome;
    await runLog.done(facts);
    const { moves, sessions, log } = this.parts;
    // ended after the job is complete: a rerun that finds the receipt and no source is done
    const end = async () => {
      await moves.endReceipt(run.session, run.filename, claim);
      await sessions.setUrl(sessionKey(run.session), this.parts.tools.store.prefixUrl(run.session));
    };
    setImmediate(() => void end().catch((error: unknown) => log.debug(`receipt: ${messageOf(error)}`)));
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
    const sentence = `${outcome.of === 'store' ? 'the store is away' : outcome.of === 'volume' ? 'the shared volume fails' : 'staging has no room'}: ${outcome.why}`;
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
      if (!(await quarantine(run, reason, this.parts.tools))) {
        runLog.skipped('the file is gone from the volume');
        await this.parts.moves.forget(run.session, run.filename);
        return { skipped: 'the file is gone from the volume' };
      }
    } catch (error) {
      const outcome = await judge(error, this.parts.tools.store);
      const why = `it could not be quarantined: ${messageOf(error)}`;
      if (outcome.kind === 'interrupted') return this.handBack(job, token, run, why, runLog);
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
    );
    await this.parts.moves.lastError(`${run.filename}: ${why}`);
    runLog.quarantined(why, cause.code);
    await this.clean(job, run.payload);
    throw inWords(why);
  }

  /** A job that stands for a file in `<failed>`, added by recovery: its mark goes, and it is shown as failed, uncounted. */
  private async showQuarantined(
    job: Job<UploadPayload>,
    payload: ReadPayload,
    reason: QuarantineReason,
  ): Promise<never> {
    await this.clean(job, payload);
    throw inWords(failedAfter(reason));
  }

  /** What a retry in Bull Board must find: a payload that begins anew. */
  private async clean(
    job: Job<UploadPayload>,
    { session, filename }: Pick<ReadPayload, 'session' | 'filename'>,
  ): Promise<void> {
    await job.updateData({
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
    await job.updateData({ ...job.data, ...(run.retried ? { attempts: 0, waits: 0 } : {}), ...change });
    await this.parts.moves.rest(run.session, run.filename, run.id, { state: 'delayed', why, attempts, code });
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
      await this.parts.moves.rest(run.session, run.filename, run.id, {
        state: 'queued',
        why: 'handed back, waits for an uploader',
        attempts: run.payload.attempts,
      });
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
function inWords(why: string): UnrecoverableError {
  const error = new UnrecoverableError(why);
  error.stack = why;
  return error;
}

/** The sentence of a quarantine, as Bull Board, the api and the records show it. */
function failedAfter(reason: QuarantineReason): string {
  const times = reason.attempts === 1 ? '1 attempt' : `${reason.attempts} attempts`;
  const what = reason.message.includes(reason.code) ? reason.message : `${reason.code}: ${reason.message}`;
  return `failed after ${times}: ${what}`;
}

function killsItsWorker(deaths: number): Moved {
  return {
    outcome: {
      kind: 'quarantine',
      code: 'KillsWorker',
      why: `its uploader died ${deaths} times while it had nothing else in hand`,
    },
  };
}
