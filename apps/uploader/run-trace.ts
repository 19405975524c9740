import { UnrecoverableError, WaitingError } from 'bullmq';
import { sessionKey, type Outcome } from '@app/shared/domain';
import type { ReadPayload } from '@app/shared/queue';
import { failureCode, type TraceSpan, type Tracing } from '@app/shared/runtime';
import type { HeldJob } from './held-job.js';
import type { StepEnd, StepName } from './run.js';

/** The trace of one run: a span below the one that added the job, and one below it for each step. */
export class RunTrace {
  private readonly span: TraceSpan;
  /** Whole milliseconds would put short steps in a wrong order. */
  private readonly origin = Date.now() - performance.now();
  private ended: string = 'interrupted';
  private failure: string | undefined;

  constructor(tracing: Tracing, job: HeldJob, payload: ReadPayload) {
    const facts = {
      'file.name': payload.filename,
      ...(payload.size === null ? {} : { 'file.size': payload.size }),
      'sluice.session': sessionKey(payload.session),
      'sluice.job': job.lock.id,
      'sluice.attempt': payload.attempts + 1,
    };
    this.span = tracing.begin('run', 'consumer', facts, job.carrier);
  }

  /** 32 hex digits; undefined without tracing. */
  get id(): string | undefined {
    return this.span.traceId;
  }

  /** Does the whole run. What it throws is how BullMQ is told what became of the job. */
  async whole<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof UnrecoverableError) this.ended = 'quarantine';
      else if (error instanceof WaitingError) [this.ended, this.failure] = ['interrupted', undefined];
      throw error;
    } finally {
      this.span.end({ 'sluice.outcome': this.ended }, this.failure);
    }
  }

  /** Does one step. */
  async step<T>(name: StepName, work: () => Promise<T>): Promise<T> {
    const span = this.span.child(name, this.now());
    try {
      const done = await work();
      span.end({}, undefined, this.now());
      return done;
    } catch (error) {
      span.end({}, failureCode(error), this.now());
      throw error;
    }
  }

  /** Notes a step that is over. */
  took(name: StepName, ms: number, { agoMs = 0, error }: StepEnd = {}): void {
    const ended = this.now() - agoMs;
    const failure = error === undefined ? undefined : failureCode(error);
    this.span.child(name, ended - ms).end({}, failure, ended);
  }

  /** Notes what became of the file. */
  outcome(outcome: Outcome): void {
    this.ended = outcome.kind;
    this.failure = 'code' in outcome ? outcome.code : undefined;
  }

  private now(): number {
    return this.origin + performance.now();
  }
}
