import { foldedName, jobId } from '@app/shared/domain';
import type { Entries } from './entries.js';
import { lookAtMany } from './looks.js';
import type { ScannerParts } from './parts.js';
import type { Standing } from './scan-memory.js';

/**
 * Names that are not through and that others must wait for. On a volume that folds names `report.bin` waits until `Report.bin`
 * is through, or their claims would be renamed onto each other; and where sub-folders are read `a/b` waits for `a` and `a` for
 * `a/b`, since a session's folder cannot hold a file and a folder of one name. Empty where neither can be.
 */
export class Namesakes {
  /** Whether the volume folds names. */
  folds = false;
  /** Whether names are paths. */
  trees = false;
  readonly #same = new NameIndex();
  /** By each folder above them. */
  readonly #below = new NameIndex();

  /** Remembers names that are with the queue or stand in a session's folder. */
  add(names: Iterable<string>): void {
    if (!this.folds && !this.trees) return;
    for (const name of names) {
      this.#same.add(this.#key(name), name);
      for (const folder of foldersAbove(name)) this.#below.add(this.#key(folder), name);
    }
  }

  /** Names that are not through and that this one waits for. */
  of(name: string): string[] {
    if (this.#same.isEmpty) return [];
    const key = this.#key(name);
    return [
      ...(this.folds ? this.#same.of(key).filter((other) => other !== name) : []),
      ...foldersAbove(key).flatMap((folder) => this.#same.of(folder)),
      ...this.#below.of(key),
    ];
  }

  /** A name is through. */
  remove(name: string): void {
    this.#same.remove(this.#key(name), name);
    for (const folder of foldersAbove(name)) this.#below.remove(this.#key(folder), name);
  }

  /** Every name. */
  all(): string[] {
    return this.#same.all();
  }

  /** Forgets every name. */
  clear(): void {
    this.#same.clear();
    this.#below.clear();
  }

  #key(name: string): string {
    return this.folds ? foldedName(name) : name;
  }
}

/** Names by a key that several may have. */
class NameIndex {
  readonly #names = new Map<string, Set<string>>();

  get isEmpty(): boolean {
    return this.#names.size === 0;
  }

  add(key: string, name: string): void {
    const same = this.#names.get(key);
    if (same) same.add(name);
    else this.#names.set(key, new Set([name]));
  }

  of(key: string): string[] {
    const names = this.#names.get(key);
    return names ? [...names] : [];
  }

  remove(key: string, name: string): void {
    const same = this.#names.get(key);
    same?.delete(name);
    if (same?.size === 0) this.#names.delete(key);
  }

  all(): string[] {
    return [...this.#names.values()].flatMap((names) => [...names]);
  }

  clear(): void {
    this.#names.clear();
  }
}

/** `a` and `a/b` of `a/b/x`. */
export function foldersAbove(name: string): string[] {
  const folders: string[] = [];
  for (let at = name.indexOf('/'); at >= 0; at = name.indexOf('/', at + 1)) folders.push(name.slice(0, at));
  return folders;
}

/**
 * Holds names that wait for others, until those are through: their job has ended, and no file of theirs stands
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
    if (other !== undefined) entries.note(name, 'held', heldFor(name, other));
  }
  entries.counts.held += count - listed.length;
}

/** Why a name is held that waits for another. */
export function heldFor(name: string, other: string): string {
  return name.split('/').length === other.split('/').length
    ? `held: this volume takes its name for ${JSON.stringify(other)}, which is not through yet`
    : `held: ${JSON.stringify(other)} is not through yet, and no folder holds a file and a folder of one name`;
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
