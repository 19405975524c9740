import {
  closeSync,
  existsSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  rmSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { WORK } from './places.js';

const PIECE = 8 * 1024 * 1024;
/**
 * How long files rest between their drop and a turn, milliseconds: ours, so that the minimum age (5 s by default) does not
 * count, and everybody else's, so that all find the machine alike. Some virtual machines give free memory back to their host
 * after two seconds, and whoever uses it next pays for getting it again: ten times what writing into the page cache costs.
 */
export const REST_MS = 5_500;

/**
 * Files of one size, made once and then dropped again and again as hard links under fresh names: their bytes lie in the
 * page cache for every contestant alike, and no turn pays for writing them.
 */
export class Stock {
  private readonly folder: string;

  /**
   * @param count files
   * @param bytes of each
   * @param sparse without bytes on the disk, where only the mover's memory is of interest
   */
  constructor(
    readonly count: number,
    readonly bytes: number,
    sparse = false,
    root = WORK,
  ) {
    this.folder = join(root, `stock-${count}x${bytes}${sparse ? '-sparse' : ''}`);
    mkdirSync(this.folder, { recursive: true });
    for (let i = 0; i < count; i++) {
      const path = join(this.folder, String(i));
      if (existsSync(path) && statSync(path).size === bytes) continue;
      const file = openSync(path, 'w');
      if (sparse) ftruncateSync(file, bytes);
      else
        for (let at = 0; at < bytes; at += PIECE) writeSync(file, randomBytes(Math.min(PIECE, bytes - at)));
      closeSync(file);
    }
  }

  /** Puts all files into a folder, under names that begin with `prefix`. */
  drop(folder: string, prefix: string): void {
    mkdirSync(folder, { recursive: true });
    for (let i = 0; i < this.count; i++)
      linkSync(join(this.folder, String(i)), join(folder, `${prefix}-${String(i).padStart(6, '0')}.bin`));
  }

  /** Takes names that were dropped and not moved out again. */
  withdraw(folder: string, prefix: string): void {
    for (let i = 0; i < this.count; i++)
      unlinkSync(join(folder, `${prefix}-${String(i).padStart(6, '0')}.bin`));
  }

  /** Removes the files. */
  end(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
