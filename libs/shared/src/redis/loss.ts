import type { Redis } from 'ioredis';

/** Says once that Redis is away, with the reason, and once that it is back. */
export function sayLosses(
  redis: Redis,
  log: { warn(message: string): void; info(message: string): void },
): void {
  let away = false;
  redis.on('error', (error: Error) => {
    if (!away) log.warn(`Redis is away, waiting for it: ${error.message || error.name}`);
    away = true;
  });
  redis.on('ready', () => {
    if (away) log.info('Redis is back');
    away = false;
  });
}
