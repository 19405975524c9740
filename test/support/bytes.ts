import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

const PIECE = 1024 * 1024;

/** Bytes that a seed determines: no two pieces of 1 MiB alike. */
export function pieceOf(seed: number, index: number, length = PIECE): Buffer {
  const piece = Buffer.allocUnsafe(Math.ceil(length / 4) * 4);
  const words = new Uint32Array(piece.buffer, piece.byteOffset, piece.length / 4);
  let x = (seed * 2654435761 + index * 40503 + 1) >>> 0 || 1;
  for (let i = 0; i < words.length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    words[i] = x;
  }
  return piece.subarray(0, length);
}

/** Writes a file of `size` bytes, whole, under a dot name beside and then renamed. @returns its MD5 in hex */
export function writeFileOf(path: string, size: number, seed: number): string {
  mkdirSync(dirname(path), { recursive: true });
  const hidden = `${dirname(path)}/.writing-${process.pid}-${seed}-${size}`;
  const md5 = createHash('md5');
  const file = openSync(hidden, 'w');
  for (let at = 0; at < size; at += PIECE) {
    const piece = pieceOf(seed, at / PIECE, Math.min(PIECE, size - at));
    md5.update(piece);
    writeSync(file, piece);
  }
  closeSync(file);
  renameSync(hidden, path);
  return md5.digest('hex');
}
