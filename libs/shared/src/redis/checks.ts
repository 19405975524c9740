import type { Redis } from 'ioredis';
import { RedisFault, redisFault } from './faults.js';
import type { LiveOptions } from './live-redis.js';

const NO_POLICY =
  'APP_REDIS_URL: Redis refuses the token of this identity (WRONGPASS); give its object id a data access policy there, or a user of that name';

/**
 * Waits until Redis can be used; while it is away, for ever.
 *
 * @throws RedisFault where no waiting helps: a wrong password, an unknown CA, a cluster behind a plain URL
 */
export async function proveRedis(redis: Redis, prefix: string): Promise<void> {
  let give: (error: unknown) => void = () => undefined;
  const given = new Promise<never>((_, reject) => (give = reject));
  const judge = (error: unknown): void => {
    const { login } = redis.options as LiveOptions;
    // an identity may need a moment until Redis knows it, and a refused token gets a new one
    if (login && error instanceof Error && /^(?:WRONGPASS|NOAUTH)/.test(error.message)) {
      if (login.isLate()) give(new RedisFault(NO_POLICY));
      return;
    }
    const fault = redisFault(error);
    if (fault) give(fault);
  };
  redis.on('error', judge);
  try {
    for (;;) {
      await Promise.race([given, ready(redis)]);
      const failure = await Promise.race([
        given,
        redis.exists(prefix).then(
          () => null,
          (error: unknown) => error,
        ),
      ]);
      if (failure === null) return;
      judge(failure);
      await Promise.race([given, pause()]);
    }
  } finally {
    redis.off('error', judge);
  }
}

function ready(redis: Redis): Promise<unknown> {
  return redis.status === 'ready'
    ? Promise.resolve()
    : new Promise((resolve) => redis.once('ready', resolve));
}

const pause = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 200));

/** What Redis says of its memory. */
export interface RedisMemory {
  /** Bytes in use. */
  readonly used: number;
  /** Bytes allowed; 0 is no limit. */
  readonly max: number;
  /** `noeviction` and the like; null where the service hides it. */
  readonly policy: string | null;
}

/** The share of `maxmemory` above which it is a problem. */
const FULL = 0.8;

/** Reads memory use and eviction policy. INFO has both, also where a managed Redis hides CONFIG. */
export async function readRedisMemory(redis: Redis): Promise<RedisMemory> {
  const info = await redis.info('memory');
  const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? null;
  return {
    used: Number(field('used_memory') ?? 0),
    max: Number(field('maxmemory') ?? 0),
    policy: field('maxmemory_policy') ?? (await configuredPolicy(redis)),
  };
}

async function configuredPolicy(redis: Redis): Promise<string | null> {
  try {
    const answer: unknown = await redis.call('CONFIG', 'GET', 'maxmemory-policy');
    if (Array.isArray(answer)) return typeof answer[1] === 'string' ? answer[1] : null;
    if (answer !== null && typeof answer === 'object')
      return (answer as Record<string, string>)['maxmemory-policy'] ?? null;
  } catch {
    // hidden: the caller warns
  }
  return null;
}

/** The error for an eviction policy that would silently drop jobs and receipts, or null where it is right or unknown. */
export function evictionFault(memory: RedisMemory): string | null {
  if (memory.policy === null || memory.policy === 'noeviction') return null;
  return (
    `APP_REDIS_URL: this Redis evicts keys (maxmemory-policy ${memory.policy}), which loses jobs; ` +
    `set it with: redis-cli CONFIG SET maxmemory-policy noeviction (and in redis.conf, so that it stays)`
  );
}

/** The sentence for a Redis that is nearly full, or null. */
export function memoryProblem(memory: RedisMemory): string | null {
  if (memory.max === 0 || memory.used <= FULL * memory.max) return null;
  const percent = Math.round((100 * memory.used) / memory.max);
  return `Redis uses ${percent} % of its memory limit; above 100 % it refuses new jobs. Raise maxmemory or lower APP_HISTORY_MAX_FILES.`;
}
