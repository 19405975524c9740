/** No delay between attempts, and none between probes of a store that is away, passes these; milliseconds. */
export const RETRY_DELAY_MAX_MS = 300_000;
/** See {@link RETRY_DELAY_MAX_MS}. */
export const OUTAGE_DELAY_MAX_MS = 30_000;

/**
 * The delay before try number `n` (1 is the first repetition): doubled each time from `firstMs`, at most `maxMs`,
 * with jitter of the lower half so that many that failed together do not come back together.
 *
 * @param random a number in [0, 1)
 */
export function backoffMs(n: number, firstMs: number, maxMs: number, random: number): number {
  const full = Math.min(maxMs, firstMs * 2 ** Math.min(Math.max(0, n - 1), 40));
  return Math.round(full / 2 + (full / 2) * random);
}
