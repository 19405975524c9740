import { unlink, rmdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { DiscardRequest } from './staging.worker.js';

/**
 * Removes staged files that are through, and their folders with the last file of each. Small files are removed together,
 * in one call for all that came while the call before was under way.
 */
export class Discards {
  /** How many files are staged, or about to be, by their folder. */
  private readonly folders = new Map<string, number>();
  private waiting: { path: string; done: () => void }[] = [];
  private running: Promise<void> | null = null;

  /** @param together removes many files in a thread */
  constructor(private readonly together: (request: DiscardRequest) => Promise<void>) {}

  /** Notes that a file will stand at `path`. */
  expect(path: string): void {
    const folder = dirname(path);
    this.folders.set(folder, (this.folders.get(folder) ?? 0) + 1);
  }

  /** Removes a file, as soon as may be. Never throws: what stays on the disk is found by the next sweep. */
  now(path: string): Promise<void> {
    return unlink(path)
      .catch(() => undefined)
      .then(() => this.removeFolders(this.left(path)));
  }

  /** Removes a file together with others. Never throws. */
  soon(path: string): Promise<void> {
    const done = new Promise<void>((resolve) => this.waiting.push({ path, done: resolve }));
    this.running ??= this.run();
    return done;
  }

  /** Notes that nothing stands at `path` any more, and removes its folder if it was the last. */
  gone(path: string): void {
    void this.removeFolders(this.left(path));
  }

  /** Waits until everything is removed that was asked for. */
  async settled(): Promise<void> {
    while (this.running) await this.running;
  }

  private async run(): Promise<void> {
    while (this.waiting.length > 0) {
      const files = this.waiting;
      this.waiting = [];
      const folders = files.flatMap(({ path }) => this.left(path));
      const request = { operation: 'discard', files: files.map(({ path }) => path), folders } as const;
      await this.together(request).catch(() => undefined);
      for (const { done } of files) done();
    }
    this.running = null;
  }

  /** The folders that are empty once a file is gone: its session's, and perhaps its day's. */
  private left(path: string): string[] {
    const folder = dirname(path);
    const others = (this.folders.get(folder) ?? 1) - 1;
    if (others > 0) this.folders.set(folder, others);
    else this.folders.delete(folder);
    return others > 0 ? [] : [folder, dirname(folder)];
  }

  private async removeFolders(folders: readonly string[]): Promise<void> {
    try {
      for (const folder of folders) await rmdir(folder);
    } catch {
      // others are in it
    }
  }
}
