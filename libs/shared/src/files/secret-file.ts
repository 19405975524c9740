import { readFile, stat } from 'node:fs/promises';
import { codeOf } from '../domain/errors.js';

/** A file is looked at again when it is asked for and the last look is older; milliseconds. */
const LOOK_AGAIN_MS = 1_000;
/** A secret is no longer than this; bytes. */
const MOST_BYTES = 64 * 1024;

/**
 * A small file that somebody else exchanges, such as a mounted Kubernetes Secret: read at its first use, and again once
 * it has changed. While it is missing or unreadable, its last text stands.
 */
export class SecretFile {
  private known: string | null = null;
  /** Which file that text came from: a mount exchanges it by a symlink, an editor by a rename or in place. */
  private version = '';
  private lookedAt = -Infinity;
  private looking: Promise<void> | null = null;

  constructor(private readonly path: string) {}

  /**
   * Its text, without white space around it.
   *
   * @throws Error where it never could be read; the message holds nothing of its text
   */
  async text(): Promise<string> {
    if (performance.now() - this.lookedAt >= LOOK_AGAIN_MS) await this.look();
    return this.known ?? '';
  }

  /** Reads it at once, whether it seems changed or not: what it held was of no use. */
  async again(): Promise<void> {
    this.version = '';
    await this.look();
  }

  private look(): Promise<void> {
    this.looking ??= this.read().finally(() => (this.looking = null));
    return this.looking;
  }

  private async read(): Promise<void> {
    try {
      const { mtimeNs, ctimeNs, ino, size } = await stat(this.path, { bigint: true });
      if (size > MOST_BYTES) throw Object.assign(new Error('too large'), { code: 'EFBIG' });
      const version = `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
      if (version !== this.version || this.known === null) {
        const text = (await readFile(this.path, 'utf8')).trim();
        // somebody empties it before they write it
        if (text === '' && this.known !== null) return;
        this.known = text;
        this.version = version;
      }
      this.lookedAt = performance.now();
    } catch (error) {
      if (this.known === null) throw new Error(`it cannot be read: ${codeOf(error) ?? 'unknown error'}`);
    }
  }
}
