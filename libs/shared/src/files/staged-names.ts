import { rmdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** The files of one folder. */
interface Folder {
  /** All that may stand on the disk. */
  readonly files: Set<string>;
  /** Those of small files in hand. */
  readonly small: Set<string>;
  /** Those of small files that are through, for the next ones to overwrite. */
  readonly spares: string[];
}

/**
 * The files below the staging folder. A small file is written over one that is through, as long as others are in hand: to
 * make a file, sync it and remove it again costs a disk with a journal far more than to write few bytes. The last small
 * file of a folder takes the spare ones along, and the last file the folder.
 *
 * A spare file holds at most as much as a small one may.
 */
export class StagedNames {
  private readonly folders = new Map<string, Folder>();
  private readonly removing = new Set<Promise<void>>();
  private count = 0;

  /**
   * @param root the staging folder
   * @param id what the files' names begin with, see {@link StagingOwner}
   */
  constructor(
    private readonly root: string,
    private readonly id: string,
  ) {}

  /** The path for one more file, nobody else's until it is given back. @param folder below the root */
  take(folder: string, isSmall: boolean): string {
    const place = join(this.root, folder);
    const held: Folder = this.folders.get(place) ?? { files: new Set(), small: new Set(), spares: [] };
    this.folders.set(place, held);
    const spare = isSmall ? held.spares.pop() : undefined;
    const path = spare ?? join(place, `${this.id}-${++this.count}.staged`);
    held.files.add(path);
    if (isSmall) held.small.add(path);
    return path;
  }

  /** A path whose file, if there is one, is through. Never throws: what stays on the disk is found by the next sweep. */
  async giveBack(path: string): Promise<void> {
    const held = this.folders.get(dirname(path));
    if (!held?.small.has(path) || held.small.size === 1) return this.remove(path);
    held.small.delete(path);
    held.spares.push(path);
  }

  /** A path that nobody may write over, because a thread that was given up may do so yet. Never throws. */
  remove(path: string): Promise<void> {
    const work = this.removeNow(path);
    this.removing.add(work);
    return work.finally(() => this.removing.delete(work));
  }

  /** Waits until everything is removed that was asked for. */
  async settled(): Promise<void> {
    while (this.removing.size > 0) await Promise.all(this.removing);
  }

  private async removeNow(path: string): Promise<void> {
    const folder = dirname(path);
    const held = this.folders.get(folder);
    held?.small.delete(path);
    const paths = [path, ...(held?.small.size === 0 ? held.spares.splice(0) : [])];
    await Promise.all(paths.map((each) => unlink(each).catch(() => undefined)));
    for (const each of paths) held?.files.delete(each);
    if (held && held.files.size > 0) return;
    this.folders.delete(folder);
    try {
      for (const each of [folder, dirname(folder)]) await rmdir(each);
    } catch {
      // others are in it
    }
  }
}
