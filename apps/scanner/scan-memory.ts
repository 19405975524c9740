import { sessionKey, type Observation } from '@app/shared/domain';
import { readPayload } from '@app/shared/queue';
import { Aside, type Seen } from './aside.js';
import { Shown } from './entries.js';
import { Namesakes } from './namesakes.js';
import type { ScannerParts } from './parts.js';
import { SessionFolder } from './session-folder.js';
import type { Stopping } from './stopping.js';
import { KnownFolders } from './tree/known-folders.js';

/** Jobs read per call when a scanner takes the lead. */
const PAGE = 1_000;

/** A file that was handed to the queue and still stands in the drop folder. */
export interface Enqueued {
  /** The session's key. */
  readonly session: string;
  /** The later of its times, milliseconds since 1970; null where it was not looked at. */
  readonly newestMs: number | null;
  /** Whether its job was seen active, delayed or failed in the last scan, so that the name here may be a new drop. */
  underWay: boolean;
}

/** A file that stands in a session's folder. */
export interface Standing {
  readonly place: 'processing' | 'failed';
  /** Below that root: `<date>/<encoded_session>/<filename>`. */
  readonly path: string;
}

/** An end marker that nothing keeps back but what people must decide. */
export interface BlockedMarker {
  readonly name: string;
  /** Files of its session that failed, or files in the drop folder whose name stands in quarantine. */
  readonly by: 'failed' | 'quarantined';
  /** How many there are. */
  readonly count: number;
  /** The first of them. */
  readonly first: string | null;
}

/** What the scanner remembers between two scans; a cache, checked against Redis and the volume in each. */
export class ScanMemory {
  /** Files handed to the queue, by name. */
  readonly enqueued = new Map<string, Enqueued>();
  /** The files that the last scan looked at. */
  seen: ReadonlyMap<string, Seen> = new Map();
  /** Names that the window has moved past. */
  readonly aside = new Aside();
  /** Files under `.processing` and `.failed`, by name, as the last recovery found them: a new one of that name is held. */
  standing = new Map<string, Standing>();
  /** Sluice's own short-lived names that a scan saw in the drop folder. */
  ownNames: readonly string[] = [];
  /** What stands in the folders of the tree. */
  readonly folders = new KnownFolders();
  /** Names that cannot be under way at one time. */
  readonly namesakes = new Namesakes();
  /** What the last scan saw of checksums beside files at rest. */
  sidecars: ReadonlyMap<string, Observation> = new Map();
  readonly shown = new Shown();
  readonly sessionFolder = new SessionFolder();
  /** What the session takes before it stops; null where it goes on, or nothing is known of that yet. */
  stopping: Stopping | null = null;
  /** The end marker that waits for people; null where none does. */
  blockedMarker: BlockedMarker | null = null;
  /** The blob of the end marker that nothing stood in the way of in the last scan. */
  clearMarker: string | null = null;

  /** Forgets everything: Redis lost its data, or another scanner led in between. */
  clear(): void {
    this.enqueued.clear();
    this.seen = new Map();
    this.aside.clear();
    this.standing.clear();
    this.namesakes.clear();
    this.folders.clear();
    this.ownNames = [];
    this.stopping = null;
    this.blockedMarker = null;
    this.clearMarker = null;
    this.shown.clear();
  }

  /** Learns which files the queue has already, once, when a scanner takes the lead. */
  async learn(parts: ScannerParts): Promise<void> {
    for (const type of ['waiting', 'delayed', 'active', 'prioritized'] as const)
      for (let at = 0; ; at += PAGE) {
        const jobs = await parts.queue.getJobs([type], at, at + PAGE - 1, true);
        for (const job of jobs) {
          const payload = readPayload(job.id, job.data);
          if (typeof payload === 'string') continue;
          this.namesakes.add([payload.filename]);
          if (!payload.quarantined)
            this.enqueued.set(payload.filename, {
              session: sessionKey(payload.session),
              newestMs: null,
              underWay: false,
            });
        }
        if (jobs.length < PAGE) break;
      }
  }
}
