import { WaitingError } from 'bullmq';
import {
  backoffMs,
  Interrupted,
  messageOf,
  OUTAGE_DELAY_MAX_MS,
  RETRY_DELAY_MAX_MS,
  type Outcome,
} from '@app/shared/domain';
import type { UploadPayload } from '@app/shared/queue';
import { Ends } from './ends.js';
import type { HeldJob } from './held-job.js';
import type { Moved } from './move-file.js';
import type { ProcessorParts } from './parts.js';
import { Quarantining } from './quarantining.js';
import { OFTEN, restless } from './restless.js';
import type { RunLog } from './run-log.js';
import type { Run } from './run.js';

/** What is said of an outage, by what is away. */
const AWAY = {
  store: 'the store is away',
  volume: 'the shared volume fails',
  staging: 'staging has no room',
  redis: 'Redis refuses writes',
  replicas: 'Redis lacks replicas',
  labels: 'its labels are refused',
} as const;

/** Turns the outcome of each run into queue behaviour: the one place that does. */
export class UploadProcessor {
  private readonly waits = new Map<string, { sentence: string; until: number }>();
  /** Set once the process shuts down: what is handed back then needs no delay. */
  stopping = false;

  readonly ends: Ends;
  readonly quarantining: Quarantining;

  constructor(private readonly parts: ProcessorParts) {
    this.quarantining = new Quarantining(parts);
    this.ends = new Ends(parts.moves, parts.sessions, parts.tools.store, parts.log);
  }

  /** The sentences of files that wait for room or for the volume. Whoever goes on with a file says nothing here, so they fade. */
  waitingFor(now: number): string[] {
    for (const [blob, { until }] of this.waits) if (until < now) this.waits.delete(blob);
    return [...this.waits.values()].map(({ sentence }) => sentence);
  }

  /** Turns an outcome into queue behaviour. A run whose lock is lost changes nothing: the job may be a later file's. */
  async conclude(job: HeldJob, run: Run, moved: Moved, runLog: RunLog): Promise<unknown> {
    try {
      return await this.turn(job, run, moved, runLog);
    } catch (error) {
      if (error instanceof Interrupted) return this.handBack(job, run, error.message, runLog);
      throw error;
    }
  }

  private async turn(job: HeldJob, run: Run, moved: Moved, runLog: RunLog): Promise<unknown> {
    const { outcome } = moved;
    if (outcome.kind !== 'outage' && outcome.kind !== 'settle') this.waits.delete(run.blob);
    switch (outcome.kind) {
      case 'done':
        return this.done(run, outcome, moved.claim ?? '', runLog);
      case 'skipped':
        return this.skip(run, outcome.why, runLog);
      case 'retry':
        return this.retry(job, run, outcome, runLog);
      case 'quarantine':
        return this.quarantine(job, run, outcome, run.payload.attempts + 1, runLog);
      case 'outage':
        return this.outage(job, run, outcome, runLog);
      case 'settle':
        return this.settle(job, run, outcome, moved, runLog);
      case 'interrupted':
        return this.handBack(job, run, outcome.why, runLog);
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

  private async settle(
    job: HeldJob,
    run: Run,
    outcome: Extract<Outcome, { kind: 'settle' }>,
    { observation: o, changes = [] }: Moved,
    runLog: RunLog,
  ): Promise<unknown> {
    const observation = o && {
      size: o.size,
      mtime_ns: String(o.mtimeNs),
      ctime_ns: String(o.ctimeNs),
      since: o.since,
      since_of: o.sinceOf,
    };
    const settles = run.payload.settles + (changes.length > 0 ? 1 : 0);
    // a file that waits for another one keeps what is known of it
    const change =
      o && observation ? { observation, size: o.size, mtime_ns: observation.mtime_ns, settles } : {};
    runLog.note(outcome.why);
    const path = this.parts.tools.layout.processing(run.session, run.filename);
    const often = changes.length === 0 ? null : restless(path, settles, changes, outcome);
    if (often)
      this.waits.set(run.blob, {
        sentence: often.sentence,
        until: Date.now() + often.delayMs + OUTAGE_DELAY_MAX_MS,
      });
    else if (settles < OFTEN) this.waits.delete(run.blob);
    const { delayMs, why } = often ?? outcome;
    return this.delay(job, run, delayMs, why, change);
  }

  private async retry(
    job: HeldJob,
    run: Run,
    outcome: Extract<Outcome, { kind: 'retry' }>,
    runLog: RunLog,
  ): Promise<unknown> {
    const attempts = run.payload.attempts + 1;
    const why = `${outcome.code}: ${outcome.why}`;
    if (attempts >= this.parts.tools.rules.maxAttempts)
      return this.quarantine(job, run, outcome, attempts, runLog);
    await this.parts.moves.lastError(`${run.filename}: ${why}`);
    const delayMs = backoffMs(attempts, this.parts.retryBackoffMs, RETRY_DELAY_MAX_MS, Math.random());
    runLog.failed(`attempt ${attempts} failed, next in ${(delayMs / 1000).toFixed(1)} s: ${why}`);
    const first = run.payload.firstAttemptAt ?? new Date().toISOString();
    return this.delay(
      job,
      run,
      delayMs,
      `attempt ${attempts} failed: ${why}`,
      { attempts, waits: 0, first_attempt_at: first },
      outcome.code,
    );
  }

  private async outage(
    job: HeldJob,
    run: Run,
    outcome: Extract<Outcome, { kind: 'outage' }>,
    runLog: RunLog,
  ): Promise<unknown> {
    const waits = run.payload.waits + 1;
    const sentence = outcome.of === 'source' ? outcome.why : `${AWAY[outcome.of]}: ${outcome.why}`;
    // nobody waits for a file that is stored, and each try reads it anew
    const longest = outcome.of === 'source' ? RETRY_DELAY_MAX_MS : OUTAGE_DELAY_MAX_MS;
    const delayMs = outcome.delayMs ?? backoffMs(waits, 1000, longest, Math.random());
    // a run that met a closed gate has nothing new to say
    if (outcome.code !== 'StoreAway') {
      if (outcome.of === 'store') this.parts.gate().close(outcome.why);
      else
        this.waits.set(run.blob, {
          sentence: `${run.filename}${outcome.of === 'source' ? ':' : ' waits,'} ${sentence}`,
          until: Date.now() + delayMs + OUTAGE_DELAY_MAX_MS,
        });
      await this.parts.moves.lastError(`${run.filename}: ${outcome.code}: ${outcome.why}`);
      runLog.outage(outcome.of, sentence);
      if (outcome.of === 'source' || outcome.of === 'replicas') {
        const url = this.parts.tools.store.url(run.session, run.filename);
        await this.parts.moves.sourceStands(run.session, run.filename, url, run.lock);
      }
    }
    return this.delay(job, run, delayMs, sentence, { waits }, outcome.code);
  }

  private async quarantine(
    job: HeldJob,
    run: Run,
    cause: { code: string; why: string },
    attempts: number,
    runLog: RunLog,
  ): Promise<unknown> {
    const left = await this.quarantining.end(job, run, cause, attempts, runLog);
    return left.kind === 'outage' ? this.outage(job, run, left, runLog) : { skipped: left.why };
  }

  /** Ends a run for which nothing was left to do. */
  private async skip(run: Run, why: string, runLog: RunLog): Promise<unknown> {
    await this.parts.moves.forget(run.session, run.filename, run.lock);
    runLog.skipped(why);
    return { skipped: why };
  }

  private async delay(
    job: HeldJob,
    run: Run,
    delayMs: number,
    why: string,
    change: Partial<UploadPayload>,
    code?: string,
  ): Promise<never> {
    const attempts = change.attempts ?? run.payload.attempts;
    // a retried file begins anew, also in its data
    const anew = run.retried ? { attempts: 0, waits: 0, settles: 0 } : {};
    await job.change({ ...anew, ...change });
    const rest = { state: 'delayed', why, attempts, code } as const;
    await this.parts.moves.rest(run.session, run.filename, run.id, rest, run.lock);
    return job.endDelayed(delayMs);
  }

  /** Gives the job back: at once in a shutdown, else with a delay, or this same worker would take it again. */
  private async handBack(job: HeldJob, run: Run, why: string, runLog: RunLog): Promise<never> {
    runLog.note(`handed back: ${why}`);
    try {
      const { attempts } = run.payload;
      const rest = { state: 'queued', why: 'handed back, waits for an uploader', attempts } as const;
      await this.parts.moves.rest(run.session, run.filename, run.id, rest, run.lock);
      if (this.stopping) await job.wait();
      else await job.delay(1000);
    } catch (error) {
      // the lock is another run's: then so is the job
      runLog.note(`not handed back: ${messageOf(error)}`);
    }
    throw new WaitingError();
  }
}
