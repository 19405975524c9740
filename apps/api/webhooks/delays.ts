/** The first delay, and the longest; milliseconds. */
const FIRST_MS = 2_000;
const LONGEST_MS = 3600_000;
/** For how long an event is sent again; milliseconds. */
const KEPT_UP_MS = 24 * 3600_000;

/** The pause after the n-th attempt: doubled from 2 s, at most an hour. Milliseconds. */
export function delayAfter(attempt: number): number {
  return Math.min(LONGEST_MS, FIRST_MS * 2 ** (attempt - 1));
}

/** Attempts whose pauses are 24 hours together. */
export const ATTEMPTS = attemptsOf(KEPT_UP_MS);

function attemptsOf(ms: number): number {
  let attempts = 1;
  for (let sum = 0; sum < ms; attempts += 1) sum += delayAfter(attempts);
  return attempts;
}
