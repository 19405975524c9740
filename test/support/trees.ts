import assert from 'node:assert/strict';
import { lstatSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writeFileOf } from './bytes.js';
import { pause } from './until.js';

/** Paths of so many files in 60 folders, which are four levels below the drop folder. */
export function treeOf(files: number): string[] {
  // 3, 4 and 5 have no factor in common: 60 different folders
  return Array.from(
    { length: files },
    (_, i) => `site ${i % 3}/${2026 + (i % 4)}/run-${i % 5}/${i % 60}/file ${i}.bin`,
  );
}

/** The folders of some paths, each before those below it. */
export function foldersOf(paths: readonly string[]): string[] {
  const folders = new Set<string>();
  for (const path of paths)
    for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) folders.add(folder);
  return [...folders].sort();
}

/** Drops small files, each of other bytes. @returns MD5s by path */
export function dropTree(incoming: string, paths: readonly string[]): Map<string, string> {
  return new Map(
    paths.map((path, i) => [path, writeFileOf(join(incoming, path), 1 + ((i * 37) % 3000), i + 1)]),
  );
}

/** Watches the folders of a drop folder go, and fails where one goes that changed less than its age ago. */
export class FolderWatch {
  private readonly changedAt = new Map<string, number>();
  private readonly young: string[] = [];
  private stopped = false;
  private readonly running: Promise<void>;

  /** @param ageMs how long a folder must have been empty and unchanged */
  constructor(
    private readonly incoming: string,
    private readonly folders: readonly string[],
    private readonly ageMs: number,
  ) {
    this.running = this.run();
  }

  /** Ends the watch. @returns how many folders went; those that went too early fail it */
  async end(): Promise<number> {
    this.stopped = true;
    await this.running;
    assert.deepEqual(this.young, [], 'no folder goes before its age');
    return this.folders.length - this.changedAt.size;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      this.look();
      await pause(50);
    }
    this.look();
  }

  private look(): void {
    for (const folder of this.folders) {
      const stat = lstatSync(join(this.incoming, folder), { throwIfNoEntry: false });
      const changedAt = this.changedAt.get(folder);
      if (stat) this.changedAt.set(folder, stat.mtimeMs);
      else if (changedAt !== undefined) {
        this.changedAt.delete(folder);
        const age = Date.now() - changedAt;
        if (age < this.ageMs) this.young.push(`${folder}: after ${age} ms`);
      }
    }
  }
}

/** Folders below one, as paths. */
export function foldersBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}
