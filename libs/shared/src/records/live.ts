import type { Redis } from 'ioredis';
import { parseSessionKey, type SessionRef } from '../domain/index.js';

/** A file that is on record and not done. */
export interface LiveFile {
  readonly session: SessionRef;
  readonly filename: string;
}

/**
 * A page of the files that are on record and not done, in no order. Files that come or go meanwhile may be in it or
 * not.
 *
 * @param cursor '0' begins; @returns the cursor of the next page, '0' after the last one
 */
export async function liveFiles(
  redis: Redis,
  prefix: string,
  cursor: string,
  count: number,
): Promise<{ cursor: string; files: LiveFile[] }> {
  const [next, flat] = await redis.hscan(`${prefix}:live`, cursor, 'COUNT', count);
  const files: LiveFile[] = [];
  for (let i = 0; i < flat.length; i += 2) {
    const [date = '', encoded = '', ...rest] = (flat[i] ?? '').split('/');
    const session = parseSessionKey(`${date}/${encoded}`);
    if (session) files.push({ session, filename: rest.join('/') });
  }
  return { cursor: next, files };
}
