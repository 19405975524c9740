import { randomUUID } from 'node:crypto';
import {
  decideStability,
  differences,
  type Clocks,
  type Difference,
  type FileKind,
  type FileLook,
  type Observation,
  type Outcome,
  type Verdict,
} from '@app/shared/domain';
import type { Run, Tools } from '../run.js';

/** What staging may expect of the file, or the wait until it has come to rest again. */
export type Settled =
  | { readonly rests: true; readonly expect: { size: number; mtimeNs: bigint } }
  | { readonly rests: false; readonly unsettled: Unsettled }
  /** It never will: it is no plain file. */
  | { readonly rests: false; readonly kind: 'not-a-file'; readonly fileKind: FileKind };

/** A file that changed, with what the next look is compared with. */
export interface Unsettled {
  readonly outcome: Extract<Outcome, { kind: 'settle' }>;
  readonly observation: Observation;
  /** What changed since the last look; nothing where it merely waits. */
  readonly changes: readonly Difference[];
}

/**
 * Decides whether a claimed file rests. The scanner's two looks are good as long as staging finds what they saw; a
 * file without them, or one that changed since, needs two looks of its own.
 *
 * @throws VolumeError
 */
export async function settle(run: Run, tools: Tools): Promise<Settled | 'gone'> {
  const { observation } = run.payload;
  const expect = restedAs(run);
  if (expect) return { rests: true, expect };
  const look = await tools.volume.lookAnew(tools.layout.processing(run.session, run.filename));
  if (!look) return 'gone';
  if (look.kind !== 'file') return { rests: false, kind: 'not-a-file', fileKind: look.kind };
  const verdict = decideStability(observation, look, clocksOf(tools), {
    minAgeMs: tools.rules.minFileAgeMs,
    useCtime: false,
  });
  if (verdict.stable) return { rests: true, expect: look };
  const { size, mtimeNs } = look;
  const changes = observation === null ? [] : differences(observation, { size, mtimeNs });
  return { rests: false, unsettled: unsettled(verdict.why, verdict, changes, tools) };
}

/** Tells the steady clock of this process from those of other pods, and of its own earlier runs. */
const OWN_CLOCK = randomUUID();

/**
 * What was seen of a file is remembered in its job for other pods, so it is noted by the clock that they share; where
 * that is not known by this process' own, and compared with nothing that was noted by another.
 */
function clocksOf({ clock }: Tools): Clocks {
  const now = clock.now();
  return now.volumeMs === null
    ? { ...now, steadyOf: OWN_CLOCK }
    : { ...now, steadyMs: now.volumeMs, steadyOf: 'volume' };
}

/** What the scanner's two looks saw; null where there were none, or the file changed since. */
export function restedAs(run: Run): { size: number; mtimeNs: bigint } | null {
  const { size, mtimeNs, observation } = run.payload;
  return observation === null && size !== null && mtimeNs !== null ? { size, mtimeNs } : null;
}

/** The outcome for a file that was seen to change: it is looked at again once it may have come to rest. */
export function changed(
  look: FileLook,
  changes: readonly Difference[],
  why: string,
  tools: Tools,
): Unsettled {
  const verdict = decideStability(null, look, clocksOf(tools), {
    minAgeMs: tools.rules.minFileAgeMs,
    useCtime: false,
  });
  return unsettled(`settling: ${why}`, verdict, changes, tools);
}

function unsettled(
  why: string,
  { observation, waitMs }: Verdict,
  changes: readonly Difference[],
  tools: Tools,
): Unsettled {
  return {
    outcome: { kind: 'settle', why, delayMs: Math.max(tools.rules.pollIntervalMs, waitMs) },
    observation,
    changes,
  };
}
