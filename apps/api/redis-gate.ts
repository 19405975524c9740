import type { Redis } from 'ioredis';
import { messageOf } from '@app/shared/domain';

/** Redis did not answer in time: 503. */
export class RedisAway extends Error {
  override readonly name = 'RedisAway';
}

/** Nobody waits longer than this for Redis; milliseconds. The contract allows 1 s for the whole answer. */
const LIMIT_MS = 850;

/** Every call of a request to Redis or the queue goes through here, so that it answers or fails in time. */
export class RedisGate {
  constructor(private readonly redis: Redis) {}

  /** Whether Redis can be asked now. */
  get ready(): boolean {
    return this.redis.status === 'ready';
  }

  /** Asks Redis. @throws RedisAway at once while it is away, and when it takes too long or fails */
  async ask<T>(work: () => Promise<T>): Promise<T> {
    if (!this.ready) throw new RedisAway('Redis is away');
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new RedisAway(`Redis did not answer within ${LIMIT_MS} ms`)), LIMIT_MS);
    });
    try {
      return await Promise.race([work(), late]);
    } catch (error) {
      throw error instanceof RedisAway ? error : new RedisAway(`Redis failed: ${messageOf(error)}`);
    } finally {
      clearTimeout(timer);
    }
  }
}
