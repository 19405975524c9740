/** The years that have four digits: what other tools read as ISO 8601. Milliseconds since 1970, the second one excluded. */
const FIRST_MS = -62_167_219_200_000;
const END_MS = 253_402_300_800_000;

/** Divides and rounds down, also below zero, where `/` rounds towards it. */
export function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value % by < 0n ? quotient - 1n : quotient;
}

/**
 * A time as ISO 8601 in UTC with milliseconds.
 *
 * @param ms since 1970; null: none
 * @returns null for none, and for a time outside of the years 0 to 9999, as a file may have
 */
export function formatTimeMs(ms: number | null): string | null {
  return ms !== null && ms >= FIRST_MS && ms < END_MS ? new Date(ms).toISOString() : null;
}

/** A file's time as ISO 8601 in UTC with nanoseconds. @param ns since 1970 @returns null as {@link formatTimeMs} does */
export function formatTimeNs(ns: bigint): string | null {
  const seconds = floorDivide(ns, 1_000_000_000n);
  const text = formatTimeMs(Number(seconds) * 1000);
  const fraction = (ns - seconds * 1_000_000_000n).toString().padStart(9, '0');
  return text && `${text.slice(0, 19)}.${fraction}Z`;
}

/** A file's time in whole milliseconds since 1970, rounded down. @param ns since 1970 */
export function millisecondsOf(ns: bigint): number {
  return Number(floorDivide(ns, 1_000_000n));
}
