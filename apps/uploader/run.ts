import type { Labels } from '@app/shared/config';
import {
  takenOver,
  type BlockRule,
  type Layout,
  type SessionRef,
  type SidecarMode,
} from '@app/shared/domain';
import { isOver, type Moment, type Staging, type Volume, type VolumeClock } from '@app/shared/files';
import type { JobLock, JobState, ReadPayload } from '@app/shared/queue';
import type { Moves } from '@app/shared/records';
import type { BlobStore } from './blob-store/blob-store.js';
import type { BlockMemory } from './blob-store/block-memory.js';

/** The steps of the pipeline, in their order; names of log lines and metrics. */
export const STEPS = ['reserve', 'claim', 'stage', 'upload', 'verify', 'remove'] as const;
/** One of {@link STEPS}. */
export type StepName = (typeof STEPS)[number];

/** How a step ended. */
export interface StepEnd {
  /** Milliseconds that have passed since; default 0. */
  readonly agoMs?: number;
  /** What it threw. */
  readonly error?: unknown;
}

/** One run: one attempt of one uploader at one file. */
export interface Run {
  /** A UUID. */
  readonly id: string;
  readonly session: SessionRef;
  readonly filename: string;
  /** The blob's name. */
  readonly blob: string;
  readonly payload: ReadPayload;
  /** Whether a quarantined file is being retried. */
  readonly retried: boolean;
  /** Whether no run before this one can have claimed the file. */
  readonly first: boolean;
  /** What its blob carries by somebody's choice: the labels for all files, and its session's over them. */
  readonly labels: Labels;
  /** The id of the file's record, as it was when the run began. */
  readonly record: string;
  /** What its job's lock is held with; records are changed only while it is. */
  readonly lock: JobLock;
  /** Aborts on shutdown after the grace time, and when the job's lock is lost. */
  readonly signal: AbortSignal;
  /** Asks Redis whether the job's lock is still this run's. */
  readonly stillOwned: () => Promise<boolean>;
  /** Until when the lock is this run's for sure, as it was when it began: nobody need be asked until then. */
  readonly ownedUntil: Moment;
  /** Runs a step and notes how long it took. */
  readonly step: <T>(name: StepName, work: () => Promise<T>) => Promise<T>;
  /** A step begins that is done along with another, or whose bytes can be asked for. */
  readonly begins: (name: StepName, bytes?: () => number) => void;
  /** Notes how long a step took that was done along with another, and ended just now or as said. */
  readonly took: (name: StepName, ms: number, ended?: StepEnd) => void;
  /** Says something of a step in the job's log. */
  readonly note: (line: string) => void;
  /** Bytes of the file that are in the store. */
  readonly progress: (bytes: number, size: number) => void;
}

/**
 * Asked right before what a run that slept must not do.
 *
 * @throws Interrupted where the job's lock is another run's
 */
export async function requireOwnership({ stillOwned }: Pick<Run, 'stillOwned'>): Promise<void> {
  if (!(await stillOwned())) throw takenOver();
}

/**
 * The same, for what is looked at again anyway: a run that has just begun asks nobody, since its lock cannot have run out.
 *
 * @throws Interrupted where the job's lock is another run's
 */
export async function requireOwnershipUnlessNew(run: Pick<Run, 'stillOwned' | 'ownedUntil'>): Promise<void> {
  if (isOver(run.ownedUntil)) await requireOwnership(run);
}

/** What the steps work with: the rooms they are handed, and the rules. */
export interface Tools {
  readonly layout: Layout;
  readonly volume: Volume;
  readonly staging: Staging;
  readonly store: BlobStore;
  readonly memory: BlockMemory;
  readonly moves: Moves;
  /** The states of jobs, by their ids and in their order. */
  readonly states: (ids: readonly string[]) => Promise<JobState[]>;
  /** Waits for the replicas of Redis that must have a receipt. @throws TooFewReplicas */
  readonly replicated: () => Promise<void>;
  readonly rules: {
    readonly blocks: BlockRule;
    /** Blocks in flight per file. */
    readonly maxConcurrency: number;
    readonly contentMd5: boolean;
    readonly sidecars: SidecarMode;
    readonly minFileAgeMs: number;
    readonly pollIntervalMs: number;
    readonly maxAttempts: number;
    readonly historyMaxFiles: number;
  };
  /** The pod's name, for records. */
  readonly pod: string;
  /** The clocks that ages go by. */
  readonly clock: VolumeClock;
}
