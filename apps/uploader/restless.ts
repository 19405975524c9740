import { backoffMs, OUTAGE_DELAY_MAX_MS, type Difference } from '@app/shared/domain';

/** Changes in a row from which on a file that settles is named in `problems`. */
export const OFTEN = 5;

/** What is made of a file that changes again and again while it is in hand. */
export interface Restless {
  readonly delayMs: number;
  readonly why: string;
  /** For `problems`. */
  readonly sentence: string;
}

/**
 * Makes a settling that happens again and again be said, and happen less often, since each look reads the whole file anew.
 *
 * @param settles how often in a row it was found changed, this time included
 * @returns null where it is not often yet
 */
export function restless(
  path: string,
  settles: number,
  changes: readonly Difference[],
  outcome: { readonly why: string; readonly delayMs: number },
): Restless | null {
  if (settles < OFTEN) return null;
  const what = `${settles} times in a row, last its ${changes.join(' and ')}`;
  const longer = backoffMs(settles - OFTEN + 1, outcome.delayMs, OUTAGE_DELAY_MAX_MS, Math.random());
  return {
    delayMs: Math.max(outcome.delayMs, longer),
    why: `${outcome.why}, ${what}`,
    sentence: `${path} changed while it was in hand, ${what}; it stays until it rests`,
  };
}
