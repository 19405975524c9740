import type { Redis } from 'ioredis';
import type { Layout, SidecarMode } from '@app/shared/domain';
import type { Volume, VolumeClock } from '@app/shared/files';
import type { Pods } from '@app/shared/pods';
import type { JobState, UploadQueue } from '@app/shared/queue';
import type { Beats, Incoming, Moves, Sessions } from '@app/shared/records';
import type { Logger, Tracing } from '@app/shared/runtime';

/** What the scanner's flows work with. */
export interface ScannerParts {
  readonly redis: Redis;
  readonly prefix: string;
  readonly layout: Layout;
  readonly volume: Volume;
  readonly queue: UploadQueue;
  /** Removes completed jobs beyond those that are kept. */
  readonly trimCompleted: () => Promise<number>;
  readonly states: (ids: readonly string[]) => Promise<JobState[]>;
  readonly sessions: Sessions;
  readonly beats: Beats;
  readonly moves: Moves;
  readonly incoming: Incoming;
  readonly pods: Pods;
  readonly log: Logger;
  readonly tracing: Tracing;
  /** This pod's id: the holder of the lease. */
  readonly pod: string;
  /** Whether this scanner still leads, by its own clock. */
  readonly leads: () => boolean;
  readonly rules: {
    readonly minFileAgeMs: number;
    readonly pollIntervalMs: number;
    /** Whether `APP_IGNORE_PATTERNS` lists a name, which may be a path. */
    readonly ignored: (name: string) => boolean;
    /** Levels of sub-folders that are read. */
    readonly scanDepth: number;
    /** How long an empty sub-folder stays; 0: for ever. */
    readonly emptyFolderAgeMs: number;
    /** Whether files have their checksums beside them. */
    readonly sidecars: SidecarMode;
    readonly maxQueueSize: number;
  };
  readonly now: () => number;
  /** The clocks that ages of files go by. */
  readonly clock: VolumeClock;
}

/** The lease is another scanner's now, or this one stops: whatever was under way ends. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';
}

/** Asked before anything that only the leader may do. @throws LeaseLost */
export function mustLead(parts: ScannerParts): void {
  if (!parts.leads()) throw new LeaseLost();
}
