import type { Redis } from 'ioredis';

/** How long the replicas may take; milliseconds. The connection does nothing else meanwhile. */
const WAIT_MS = 1_000;

/** Fewer replicas than asked have what was written. */
export class TooFewReplicas extends Error {
  override readonly name = 'TooFewReplicas';
}

/**
 * Waits until so many replicas have all that was written on this connection. Safe to repeat.
 *
 * @param replicas 0 waits for nobody
 * @throws TooFewReplicas after a second; what was written stands all the same. https://redis.io/docs/latest/commands/wait/
 */
export async function waitForReplicas(redis: Redis, replicas: number): Promise<void> {
  if (replicas === 0) return;
  const reached = await redis.wait(replicas, WAIT_MS);
  if (reached < replicas)
    throw new TooFewReplicas(
      `${reached} of the ${replicas} replicas of APP_REDIS_WAIT_REPLICAS have the receipt`,
    );
}
