import type { Redis } from 'ioredis';
import { bullmqFault } from '../queue/index.js';
import { evictionFault, proveRedis, readRedisMemory } from '../redis/index.js';
import { formatFault } from './format.js';

/** What is to be said of a Redis before any work begins on it. */
export interface RedisAtStart {
  /** Why no work must begin on it; names what to change. */
  readonly fault: string | null;
  /** What it does not tell, and somebody should make sure of. */
  readonly warning: string | null;
}

/**
 * Waits until Redis answers, and looks whether work may begin on it: it takes our writes, evicts nothing, and holds nothing that this release
 * could not read. Safe to repeat.
 *
 * @throws RedisFault where no waiting helps, see `proveRedis`
 */
export async function lookAtRedis(redis: Redis, prefix: string): Promise<RedisAtStart> {
  await proveRedis(redis, prefix);
  const memory = await readRedisMemory(redis);
  return {
    fault: bullmqFault() ?? evictionFault(memory) ?? (await formatFault(redis, prefix)),
    warning:
      memory.policy === null ? 'this Redis hides its eviction policy; make sure that it is noeviction' : null,
  };
}
