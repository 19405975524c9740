import type { FileLook } from './identity.js';
import { millisecondsOf } from './times.js';

/** The time as of now, by two clocks. */
export interface Clocks {
  /** By a clock that never jumps, about milliseconds since 1970: for how long something was seen. */
  readonly steadyMs: number;
  /** Whose clock `steadyMs` is, where observations pass from one process to another. */
  readonly steadyOf?: string;
  /** By the clock that stamps the files, never ahead of it; null where it is not known: then their times say nothing. */
  readonly volumeMs: number | null;
}

/** When a file counts as at rest. */
export interface StabilityRule {
  /** Minimum age in milliseconds, from the later of mtime and ctime. */
  readonly minAgeMs: number;
  /** Whether ctime counts too. After a claim it does not: the rename itself moves it. */
  readonly useCtime?: boolean;
  /** How far apart two looks must be that agree, in milliseconds; default 0. */
  readonly apartMs?: number;
}

/** What the last look at a file left to remember. */
export interface Observation {
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  /** When these values were first seen, by the steady clock. */
  readonly since: number;
  /** Whose clock `since` is: {@link Clocks.steadyOf}. Times of two clocks are not compared. */
  readonly sinceOf?: string;
}

/** The verdict on a file, with the sentence that explains it. */
export interface Verdict {
  readonly stable: boolean;
  readonly why: string;
  /** What to hand in as `previous` at the next look. */
  readonly observation: Observation;
  /** Milliseconds until the age alone would be enough; 0 where it is. */
  readonly waitMs: number;
}

/**
 * Decides whether a file has come to rest: older than the minimum age, and size and mtime as in the look before.
 * Where the volume's clock is not known, and for a time in the future, the age counts from the first look that saw the
 * file unchanged.
 *
 * @param previous the last verdict's observation, null at the first look
 */
export function decideStability(
  previous: Observation | null,
  current: Pick<FileLook, 'size' | 'mtimeNs' | 'ctimeNs'>,
  now: Clocks,
  rule: StabilityRule,
): Verdict {
  const { size, mtimeNs, ctimeNs } = current;
  const agrees = previous !== null && previous.size === size && previous.mtimeNs === mtimeNs;
  // chmod or rename by the producer touches ctime only: the content agrees, but the age begins anew
  const untouched = agrees && (rule.useCtime === false || previous.ctimeNs === ctimeNs);
  // by another clock, which may be a minute ahead, no time has been seen to pass
  const sameClock = previous?.sinceOf === now.steadyOf;
  const observation: Observation = {
    size,
    mtimeNs,
    ctimeNs,
    since: untouched && sameClock ? previous.since : now.steadyMs,
    ...(now.steadyOf === undefined ? {} : { sinceOf: now.steadyOf }),
  };

  const newest = rule.useCtime === false || mtimeNs > ctimeNs ? mtimeNs : ctimeNs;
  const newestMs = millisecondsOf(newest);
  const seenMs = now.steadyMs - observation.since;
  const timesSay = now.volumeMs !== null && newestMs <= now.volumeMs;
  const ageMs = timesSay ? (now.volumeMs ?? 0) - newestMs : seenMs;
  const waitMs = Math.max(0, rule.minAgeMs - ageMs);
  const verdict = (stable: boolean, why: string): Verdict => ({ stable, why, observation, waitMs });

  if (previous === null) return verdict(false, 'settling: first look, a second one must agree');
  if (!agrees) {
    const what = previous.size === size ? 'modification time' : 'size';
    return verdict(false, `settling: ${what} changed since the last look`);
  }
  if (seenMs < (rule.apartMs ?? 0))
    return verdict(false, 'settling: unchanged, and looked at again a little later');
  if (waitMs > 0) {
    const from = timesSay ? '' : `${whyUntold(now)}, so age counts from the first look; `;
    return verdict(false, `settling: ${from}${seconds(ageMs)} old, ${seconds(rule.minAgeMs)} needed`);
  }
  return verdict(true, `at rest for ${seconds(ageMs)}`);
}

function whyUntold({ volumeMs }: Clocks): string {
  return volumeMs === null ? "the volume's clock is not known" : 'its times are in the future';
}

function seconds(ms: number): string {
  return `${(Math.max(0, ms) / 1000).toFixed(1)} s`;
}
