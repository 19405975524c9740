import type { Redis } from 'ioredis';
import { messageOf } from '@app/shared/domain';
import { refusalProblem, writeRefusal } from '@app/shared/redis';

/** Redis did not answer in time, or not at all: 503. */
export class RedisAway extends Error {
  override readonly name = 'RedisAway';
}

/** Nobody waits longer than this for Redis; milliseconds. The contract allows 1 s for the whole answer. */
const LIMIT_MS = 850;

/** Every call of a request to Redis or the queue goes through here, so that it answers or fails in time. */
export class RedisGate {
  private failure: string | null = null;

  constructor(private readonly redis: Redis) {}

  /** Why Redis cannot be asked now, as the last call found; null where it answers. Costs nothing: probes ask it. */
  get trouble(): string | null {
    return this.redis.status === 'ready' ? this.failure : 'Redis is away';
  }

  /**
   * Asks Redis. A call that was given up may still take effect.
   *
   * @throws RedisAway at once while it is away, and when it takes too long, fails, or refuses to write; the last is no
   *   trouble of those who read
   */
  async ask<T>(work: () => Promise<T>): Promise<T> {
    if (this.redis.status !== 'ready') throw new RedisAway('Redis is away; this api goes on once it is back');
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${LIMIT_MS} ms`)), LIMIT_MS);
    });
    try {
      const answer = await Promise.race([work(), late]);
      this.failure = null;
      return answer;
    } catch (error) {
      if (isFaultOfOurs(error)) throw error;
      const refusal = writeRefusal(error);
      if (refusal !== null) throw new RedisAway(refusalProblem(refusal));
      this.failure = `Redis does not answer: ${messageOf(error)}`;
      throw new RedisAway(this.failure);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** A mistake in the program must not look like an outage. */
function isFaultOfOurs(error: unknown): boolean {
  return (
    error instanceof TypeError ||
    error instanceof RangeError ||
    error instanceof SyntaxError ||
    error instanceof ReferenceError
  );
}
