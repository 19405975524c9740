import type { UploadQueue } from './upload-queue.js';

/** What somebody set on the whole queue, in Bull Board or through BullMQ, that keeps files from being begun. */
export interface QueueBrakes {
  readonly paused: boolean;
  /** Most jobs at once over all uploaders; null where none is set. */
  readonly concurrency: number | null;
  /** At most `max` jobs in so many milliseconds over all uploaders; null where none is set. */
  readonly rateLimit: { readonly max: number; readonly durationMs: number } | null;
}

/** Reads them, in one call. @throws errors of Redis */
export async function queueBrakes(queue: UploadQueue): Promise<QueueBrakes> {
  const { paused, concurrency, max, duration } = await queue.getMeta();
  return {
    paused: paused ?? false,
    concurrency: concurrency ?? null,
    rateLimit: max && duration ? { max, durationMs: duration } : null,
  };
}
