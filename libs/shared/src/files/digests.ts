import { createHash, type Hash } from 'node:crypto';
import type { UploadPlan } from '../domain/block-plan.js';

/** What the digests of a file came to. */
export interface TakenDigests {
  /** The whole file's, 16 bytes; null where it was not asked for. */
  readonly md5: Uint8Array | null;
  /** 16 bytes a block; empty for a single put. */
  readonly blockMd5s: Uint8Array;
}

/** Takes the digests of one file, piece by piece, in its order. */
export interface FileDigests {
  /** Takes the next bytes. They must stay as they are until {@link settle}. */
  update(piece: Buffer): void;
  /** Waits until what was given has been taken. */
  settle(): void;
  /** The digests; once, after the last bytes. */
  end(): TakenDigests;
  /** Lets go of the file, whatever came of it; safe to repeat. */
  close(): void;
}

/**
 * Takes the MD5 of each block, and of the whole where that is asked for or where the whole is one put, in the thread that
 * asks. For small files, and where the hasher cannot be had.
 */
export class Digests implements FileDigests {
  private readonly whole: Hash | null;
  private readonly blocks: Buffer[] = [];
  private block: Hash | null = null;
  private room = 0;

  constructor(
    private readonly plan: UploadPlan,
    contentMd5: boolean,
  ) {
    this.whole = contentMd5 || plan.kind === 'single' ? createHash('md5') : null;
  }

  update(piece: Buffer): void {
    this.whole?.update(piece);
    if (this.plan.kind === 'single') return;
    for (let at = 0; at < piece.length;) {
      if (!this.block) {
        this.block = createHash('md5');
        this.room = this.plan.blockSize;
      }
      const part = piece.subarray(at, at + this.room);
      this.block.update(part);
      at += part.length;
      this.room -= part.length;
      if (this.room === 0) this.endBlock();
    }
  }

  settle(): void {
    // taken as it came
  }

  close(): void {
    // nothing to let go of
  }

  end(): TakenDigests {
    this.endBlock();
    return { md5: this.whole?.digest() ?? null, blockMd5s: Buffer.concat(this.blocks) };
  }

  private endBlock(): void {
    if (this.block) this.blocks.push(this.block.digest());
    this.block = null;
  }
}
