import type { Redis } from 'ioredis';

/** What all pods together have done. */
export interface Totals {
  readonly processedOk: number;
  readonly processedErr: number;
  readonly lastError: string | null;
}

/** Reads the totals hash. */
export function readTotals(hash: Readonly<Record<string, string>>): Totals {
  return {
    processedOk: Number(hash.processed_ok ?? 0),
    processedErr: Number(hash.processed_err ?? 0),
    lastError: hash.last_error ?? null,
  };
}

/** The totals of all pods. */
export async function totals(redis: Redis, prefix: string): Promise<Totals> {
  return readTotals(await redis.hgetall(`${prefix}:totals`));
}

/** The volume's id that Redis knows, or null. */
export async function knownVolume(redis: Redis, prefix: string): Promise<string | null> {
  return redis.get(`${prefix}:volume`);
}

/**
 * Remembers the volume's id, unless one is known.
 *
 * @returns the id that is known now, and whether none was known before: then Redis is new, or has lost its data
 */
export async function rememberVolume(
  redis: Redis,
  prefix: string,
  id: string,
): Promise<{ id: string; first: boolean }> {
  const first = (await redis.setnx(`${prefix}:volume`, id)) === 1;
  return { id: (await redis.get(`${prefix}:volume`)) ?? id, first };
}
