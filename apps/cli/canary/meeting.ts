import { open, readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** How often the volume is asked for a word of the other pod; milliseconds. */
const LOOK_MS = 200;

/** The volume is not fit, or the other pod is not there; the message is the reason. */
export class CanaryFailure extends Error {
  override readonly name = 'CanaryFailure';
}

/** How two pods speak with each other: by files on the volume that they prove. */
export class Meeting {
  constructor(
    /** A folder of this run alone. */
    readonly folder: string,
    readonly me: number,
    private readonly waitMs: number,
  ) {}

  /** Says a word: the value is on the volume, whole, before its name is. */
  async say(word: string, value: unknown): Promise<void> {
    const path = join(this.folder, `${word}.${this.me}.json`);
    const file = await open(`${path}.part`, 'w');
    try {
      await file.writeFile(JSON.stringify(value));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.part`, path);
  }

  /** A word of a pod, or null where it is not to be seen. */
  async heard<T>(word: string, from: number): Promise<T | null> {
    // listing the folder makes an NFS client look again for a name that it remembers as missing
    await readdir(this.folder);
    try {
      return JSON.parse(await readFile(join(this.folder, `${word}.${from}.json`), 'utf8')) as T;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  }

  /**
   * Waits for a word of a pod.
   *
   * @throws CanaryFailure with `otherwise` after the deadline, or as soon as that pod says that it failed
   */
  async hear<T>(word: string, from: number, otherwise: string): Promise<T> {
    const end = performance.now() + this.waitMs;
    for (;;) {
      const value = await this.heard<T>(word, from);
      if (value !== null) return value;
      const failed = await this.heard<{ reason: string }>('failed', from);
      if (failed) throw new CanaryFailure(`pod ${from} failed: ${failed.reason}`);
      if (performance.now() > end) throw new CanaryFailure(otherwise);
      await pause(LOOK_MS);
    }
  }
}
