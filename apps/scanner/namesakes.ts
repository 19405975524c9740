import { foldedName, jobId } from '@app/shared/domain';
import type { Entries } from './entries.js';
import { lookAtMany } from './looks.js';
import type { ScannerParts } from './parts.js';
import type { Standing } from './scan-memory.js';

/**
 * Names that are not through, on a volume that folds names: `report.bin` must wait there until `Report.bin` is through, or
 * their claims would be renamed onto each other. Empty on every other volume.
 */
export class Namesakes {
  /** Whether the volume folds names. */
  folds = false;
  readonly #byFolded = new Map<string, Set<string>>();

  /** Remembers names that are with the queue or stand in a session's folder. */
  add(names: Iterable<string>): void {
    if (!this.folds) return;
    for (const name of names) {
      const folded = foldedName(name);
      const same = this.#byFolded.get(folded);
      if (same) same.add(name);
      else this.#byFolded.set(folded, new Set([name]));
    }
  }

  /** Names that are not through and that the volume takes this one for. */
  of(name: string): string[] {
    if (!this.folds) return [];
    return [...(this.#byFolded.get(foldedName(name)) ?? [])].filter((other) => other !== name);
  }

  /** A name is through. */
  remove(name: string): void {
    const folded = foldedName(name);
    const same = this.#byFolded.get(folded);
    same?.delete(name);
    if (same?.size === 0) this.#byFolded.delete(folded);
  }

  /** Every name. */
  all(): string[] {
    return [...this.#byFolded.values()].flatMap((names) => [...names]);
  }

  /** Forgets every name. */
  clear(): void {
    this.#byFolded.clear();
  }
}

/**
 * Holds names that the volume takes for others, until those are through: their job has ended, and no file of theirs stands
 * in a session's folder.
 *
 * @param listed the first of these names; @param count how many the folder has
 * @throws VolumeError
 */
export async function checkNamesakes(
  parts: ScannerParts,
  memory: { readonly namesakes: Namesakes; readonly standing: Map<string, Standing> },
  listed: readonly string[],
  count: number,
  entries: Entries,
): Promise<void> {
  const { namesakes } = memory;
  await forgetThrough(
    parts,
    memory,
    listed.flatMap((name) => namesakes.of(name)),
  );
  for (const name of listed) {
    const [other] = namesakes.of(name);
    // one that is free now is looked at in the next scan
    if (other !== undefined) entries.note(name, 'held', heldFor(other));
  }
  entries.counts.held += count - listed.length;
}

/** Why a name is held that the volume takes for another. */
export function heldFor(other: string): string {
  return `held: this volume takes its name for ${JSON.stringify(other)}, which is not through yet`;
}

/** Forgets those of some names that are through. @throws VolumeError */
export async function forgetThrough(
  parts: ScannerParts,
  { namesakes, standing }: { readonly namesakes: Namesakes; readonly standing: Map<string, Standing> },
  names: readonly string[],
): Promise<void> {
  const states = await parts.states(names.map(jobId));
  const ended = names.filter((_, i) => states[i] === 'missing' || states[i] === 'completed');
  for (const place of ['processing', 'failed'] as const) {
    const files = ended.flatMap((name) => {
      const file = standing.get(name);
      return file?.place === place ? [{ name, path: file.path }] : [];
    });
    const paths = files.map(({ path }) => path);
    const looks = await lookAtMany(parts.volume, parts.layout.roots[place], paths);
    for (const [i, { name }] of files.entries()) if (looks[i] === null) standing.delete(name);
  }
  for (const name of ended) if (!standing.has(name)) namesakes.remove(name);
}
