import type { Redis } from 'ioredis';
import type { Labels } from '@app/shared/config';
import type { Pods } from '@app/shared/pods';
import type { retryData, UploadQueue } from '@app/shared/queue';
import type { History, Incoming, Manifests, Moves, Sessions } from '@app/shared/records';
import type { Logger } from '@app/shared/runtime';
import type { Asking } from './asking.js';
import type { RedisGate } from './redis-gate.js';
import type { SessionWaits } from './sessions/session-waits.js';

/** What the api's services work with; the token under which Nest hands it out. */
export abstract class ApiParts {
  abstract readonly redis: Redis;
  abstract readonly prefix: string;
  abstract readonly gate: RedisGate;
  abstract readonly queue: UploadQueue;
  abstract readonly retryData: ReturnType<typeof retryData>;
  abstract readonly sessions: Sessions;
  abstract readonly sessionWaits: SessionWaits;
  abstract readonly history: History;
  abstract readonly manifests: Manifests;
  abstract readonly moves: Moves;
  abstract readonly incoming: Incoming;
  /** Of all blobs, as far as this api's settings say. */
  abstract readonly labels: Labels;
  abstract readonly pods: Pods;
  abstract readonly asking: Asking;
  abstract readonly log: Logger;
  /** What this api sees of Redis, as sentences for `problems`. */
  abstract readonly ownProblems: () => string[];
  /** Whether pods can report at all, as this one found when it last did; where not, silence means nothing. */
  abstract readonly podsAreHeard: () => boolean;
}
