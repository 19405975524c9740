import { randomUUID } from 'node:crypto';
import { WaitingError, Worker, type Job } from 'bullmq';
import { blobName, Interrupted, messageOf } from '@app/shared/domain';
import { momentIn } from '@app/shared/files';
import {
  holdsLock,
  jobNotes,
  QUEUE_NAME,
  readPayload,
  updateOwned,
  withoutOldMark,
  type ReadPayload,
  type UploadPayload,
} from '@app/shared/queue';
import { sharedSignal } from './blob-store/blob-store.js';
import { HeldJob, inWords } from './held-job.js';
import { judge } from './judge.js';
import { moveFile, type Moved } from './move-file.js';
import type { ProcessorParts } from './parts.js';
import { RunLog } from './run-log.js';
import type { StillFile } from './still.js';
import { RunTrace } from './run-trace.js';
import type { Run } from './run.js';
import { UploadProcessor } from './upload.processor.js';

/**
 * Lock times: a killed uploader's lock runs out after 15 s at the most, and stalled jobs are looked for every 5 s in
 * two passes, so its files go on within 30 s. Renewal comes three times a lock, so a lost lock is noticed in half of it.
 */
const LOCK = { lockDuration: 15_000, lockRenewTime: 5_000, stalledInterval: 5_000 };
/** Deaths are counted by the pipeline, which can tell a file's fault from its worker's; BullMQ's own count is out of the way. */
const NEVER = 1_000_000_000;
/** The lock counts as lost this much before Redis gives it away: time to do what it was asked for. Milliseconds. */
const LOCK_SLACK_MS = 7_500;
/** After so many deaths a file is tried alone. */
const SUSPECT_DEATHS = 2;

/** Takes jobs from the queue, a run for each, and hands what became of it to the processor. */
export class UploadWorker {
  readonly processor: UploadProcessor;
  private readonly worker: Worker<UploadPayload>;
  private readonly runLogs = new Set<RunLog>();
  private readonly running = new Map<string, { jobId: string; controller: AbortController }>();

  private readonly notes;
  private readonly update;

  constructor(private readonly parts: ProcessorParts) {
    this.processor = new UploadProcessor(parts);
    this.notes = jobNotes(parts.redis, parts.prefix);
    this.update = updateOwned(parts.redis, parts.prefix);
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

  /** Begins no new file until {@link resume}; what is in hand goes on. Safe to repeat. */
  pause(): void {
    if (!this.worker.isPaused()) void this.worker.pause(true);
  }

  /** Takes files again. Safe to repeat. */
  resume(): void {
    if (this.worker.isPaused()) void this.worker.resume();
  }

  /** Begins to take jobs. */
  start(): void {
    this.worker
      .run()
      .catch((error: unknown) => this.parts.log.warn(`the worker stopped: ${messageOf(error)}`));
  }

  /** Takes no new job, lets running files finish within the grace time, hands the rest back, and waits for them. */
  async stop(graceMs: number): Promise<void> {
    this.processor.stopping = true;
    const closed = this.worker.close();
    const grace = setTimeout(() => {
      for (const { controller } of this.running.values()) controller.abort();
    }, graceMs);
    await closed;
    clearTimeout(grace);
    await this.processor.ends.flush();
  }

  /** The files in hand, and for how long nothing has moved on each. */
  still(): StillFile[] {
    return [...this.runLogs].flatMap((runLog) => runLog.still() ?? []);
  }

  private async process(job: Job<UploadPayload>, token: string): Promise<unknown> {
    const found = readPayload(job.id, job.data);
    if (typeof found === 'string') throw inWords(`InvalidJob: ${found}`);
    const payload = withoutOldMark(found, job.attemptsMade);
    const held = new HeldJob(job, token, this.update);
    if (payload.quarantined) return this.processor.quarantining.show(held, payload, payload.quarantined);
    const id = randomUUID();
    const controller = new AbortController();
    this.running.set(id, { jobId: job.id ?? '', controller });
    try {
      const trace = new RunTrace(this.parts.tracing, held, payload);
      return await trace.whole(() => this.attempt(held, payload, id, sharedSignal(controller.signal), trace));
    } finally {
      this.running.delete(id);
    }
  }

  private async attempt(
    job: HeldJob,
    payload: ReadPayload,
    id: string,
    signal: AbortSignal,
    trace: RunTrace,
  ): Promise<unknown> {
    const { parts } = this;
    const blob = blobName(payload.session, payload.filename);
    const log = parts.log.child({
      file: payload.filename,
      session: payload.session.encodedSession,
      date: payload.session.datePrefix,
      job: job.lock.id,
      attempt: payload.attempts + 1,
      trace_id: trace.id,
    });
    const runLog = new RunLog(job.lock.id, payload, { ...parts, notes: this.notes }, log);
    const file = { session: payload.session, filename: payload.filename, size: payload.size ?? 0 };

    const { lock } = job;
    // counted from before the call: the lock never seems longer than Redis' own
    const asked = momentIn(-LOCK_SLACK_MS);
    const begun = await parts.moves.begin(file, id, false, parts.tools.pod, lock).catch((error: unknown) => {
      // slept between the job's grant and here: it is another run's
      throw error instanceof Interrupted ? new WaitingError() : error;
    });
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
      first: begun.first,
      labels: parts.labels.all,
      record: begun.record,
      lock,
      signal,
      stillOwned: () => holdsLock(parts.redis, parts.prefix, lock),
      ownedUntil: { steady: asked.steady + begun.lockMs, wall: asked.wall + begun.lockMs },
      step: (name, work) => runLog.step(name, () => trace.step(name, work)),
      begins: (name, bytes) => runLog.begins(name, bytes),
      took: (name, ms, ended) => {
        runLog.took(name, ms);
        trace.took(name, ms, ended);
      },
      note: (line) => runLog.note(line),
      progress: (bytes, size) => runLog.progress(bytes, size),
    };
    this.runLogs.add(runLog);
    const suspect = begun.deaths >= SUSPECT_DEATHS;
    let labels = parts.labels.all;
    const moved = await parts.hands
      .hold(blob, suspect, signal, async () => {
        if (suspect) {
          if (begun.aloneDeaths >= parts.tools.rules.maxAttempts) return killsItsWorker(begun.aloneDeaths);
          log.warn(`its worker died ${begun.deaths} times, so it is tried alone`);
          await parts.moves.begin(file, id, true, parts.tools.pod, lock);
        }
        if (!parts.gate().open)
          return {
            outcome: { kind: 'outage', of: 'store', code: 'StoreAway', why: 'the store is away' } as const,
          };
        labels = parts.labels.read(begun.labels);
        await parts.labels.prove(labels, signal);
        return moveFile({ ...run, labels }, parts.tools);
      })
      .catch(async (error: unknown): Promise<Moved> => {
        if (!(error instanceof Interrupted))
          log.debug({ stack: error instanceof Error ? error.stack : undefined }, 'the run met an error');
        return { outcome: await judge(error, parts.tools, payload, labels) };
      })
      .finally(() => {
        runLog.rests();
        this.runLogs.delete(runLog);
      });
    trace.outcome(moved.outcome);
    return this.processor.conclude(job, run, moved, runLog);
  }
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
