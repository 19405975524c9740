import type { Redis } from 'ioredis';
import { bindScript } from '../redis/index.js';

/**
 * The version of what this release writes: records, receipts and job payloads. 1 is release 0.1, which noted none; 2 keeps
 * done files as short texts, and reads what 1 wrote. Raise it with any change that this release could not read.
 */
export const FORMAT = 2;

// raised and never lowered; a Redis that refuses writes is told by others, and asked again at the next start
const CLAIM = `
local key = KEYS[1] .. ':format'
local found = redis.call('GET', key)
if not tonumber(found) or tonumber(found) < tonumber(ARGV[1]) then
  redis.pcall('SET', key, ARGV[1])
  return ARGV[1]
end
return found`;

/**
 * Notes in Redis that this format is written from now on. Safe to repeat.
 *
 * @returns the error for a Redis that holds a newer format, which this release might misread; null where there is none
 */
export async function formatFault(redis: Redis, prefix: string, format = FORMAT): Promise<string | null> {
  const found = Number(await bindScript(redis, 'sluiceFormat', prefix, CLAIM)(format));
  if (found <= format) return null;
  return (
    `APP_REDIS_URL: this Redis holds records of a newer release (format ${found}; this one knows up to ${format}); ` +
    `start that release again, or give this one another database`
  );
}
