import { dirname } from 'node:path';
import { VolumeError, type Roots } from '@app/shared/domain';
import { rootsFault, type Volume } from '@app/shared/files';

/** Entries that are named in `problems`; the others are counted. */
const SHOWN = 3;
/** System errors that one entry can have alone: permissions, immutable flags, mount points. */
const BLOCKED = new Set(['EACCES', 'EPERM', 'EROFS', 'EBUSY', 'ENOTDIR', 'ENAMETOOLONG']);
/** What stands there is not what Sluice would have made under this name: it is left alone, and no news. */
const NOT_OURS = new Set(['EISDIR', 'ELOOP', 'EFBIG']);
/** The name of what the probe makes and removes. */
const PROBE = '.sluice-probe-recovery';

/**
 * Entries that one pass of recovery, or one scan, was not let at. Each of them waits alone, and everything else goes on; but where
 * the volume refuses the same to a probe of our own in the roots, nothing may be concluded from it: that is an outage.
 */
export class BlockedEntries {
  readonly #why = new Map<string, string>();
  #rootsWork: Promise<boolean> | null = null;

  /** @param probe whether the volume allows the same in the roots; by default by files of our own */
  constructor(
    volume: Volume,
    roots: Roots,
    private readonly probe: () => Promise<boolean> = () => rootsWork(volume, roots),
  ) {}

  /**
   * What a call on one entry gives, or `instead` where that entry alone does not allow it: then the path is remembered.
   *
   * @throws VolumeError where the volume fails
   */
  async attempt<A, B>(path: string, call: Promise<A>, instead: B): Promise<A | B> {
    try {
      return await call;
    } catch (error) {
      if (!(error instanceof VolumeError)) throw error;
      if (NOT_OURS.has(error.code)) return instead;
      if (!BLOCKED.has(error.code)) throw error;
      // once a pass: a thousand blocked entries cost one probe
      this.#rootsWork ??= this.probe();
      if (!(await this.#rootsWork)) throw error;
      if (!this.#isBelowBlocked(path)) this.#why.set(path, `${error.operation}: ${error.code}`);
      return instead;
    }
  }

  /** Notes a folder that is deeper below its session's than `levels`, as none of ours is: it is not entered. */
  tooDeep(path: string, levels: number): void {
    this.#why.set(path, `deeper than ${levels} folders`);
  }

  /** Whether a path is blocked, by itself or in a folder that is. */
  has(path: string): boolean {
    return this.#why.has(path) || this.#isBelowBlocked(path);
  }

  /** The paths, whole. */
  get paths(): string[] {
    return [...this.#why.keys()];
  }

  /** Sentences for `problems`: the first entries with their whole paths, and how many more there are. */
  problems(): string[] {
    const sentences = [...this.#why]
      .slice(0, SHOWN)
      .map(
        ([path, why]) =>
          `${path} may not be touched (${why}) and waits; let Sluice's user read, rename and remove it, or take it away`,
      );
    const more = this.#why.size - SHOWN;
    if (more > 0)
      sentences.push(
        `${more} more ${more === 1 ? 'entry' : 'entries'} of the volume may not be touched and wait`,
      );
    return sentences;
  }

  /** What lies in a blocked folder is no news beside it. */
  #isBelowBlocked(path: string): boolean {
    for (let folder = dirname(path); folder.length > 1; folder = dirname(folder))
      if (this.#why.has(folder)) return true;
    return false;
  }
}

/** Whether our own files and folders in the roots allow everything that recovery does. @throws VolumeError */
async function rootsWork(volume: Volume, roots: Roots): Promise<boolean> {
  try {
    // writes, renames and removes in all three
    if ((await rootsFault(volume, roots)) !== null) return false;
    for (const root of [roots.processing, roots.failed]) {
      const folder = `${root}/${PROBE}`;
      const file = `${folder}/${PROBE}`;
      await volume.makeFolder(folder);
      await volume.writeText(file, 'sluice');
      await volume.list(folder, () => undefined);
      await volume.readText(file);
      await volume.unlink(file);
      await volume.removeEmptyFolder(folder);
    }
    return true;
  } catch (error) {
    if (error instanceof VolumeError && BLOCKED.has(error.code)) return false;
    throw error;
  }
}
