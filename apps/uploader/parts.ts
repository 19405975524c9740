import type { Redis } from 'ioredis';
import type { Moves, Sessions } from '@app/shared/records';
import type { Logger, Tracing } from '@app/shared/runtime';
import type { Hands } from './hands.js';
import type { UploaderMetrics } from './metrics.js';
import type { ProvedLabels } from './proved-labels.js';
import type { Tools } from './run.js';
import type { StoreGate } from './store-gate.js';

/** What worker and processor need beside the steps' tools. */
export interface ProcessorParts {
  readonly redis: Redis;
  readonly prefix: string;
  readonly concurrency: number;
  readonly retryBackoffMs: number;
  readonly tools: Tools;
  readonly moves: Moves;
  readonly sessions: Sessions;
  readonly labels: ProvedLabels;
  readonly hands: Hands;
  readonly gate: () => StoreGate;
  readonly metrics: UploaderMetrics;
  readonly tracing: Tracing;
  readonly log: Logger;
}
