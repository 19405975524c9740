import { createHash, type Hash } from 'node:crypto';
import type { UploadPlan } from '../domain/block-plan.js';

/** Takes the MD5 of each block, and of the whole where that is asked for or where the whole is one put. */
export class Digests {
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

  /** Takes the next bytes; any number of them. */
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

  /** The digests: 16 bytes, or null where the whole was not asked for; and 16 bytes a block. Once, at the end. */
  end(): { md5: Uint8Array | null; blockMd5s: Uint8Array } {
    this.endBlock();
    return { md5: this.whole?.digest() ?? null, blockMd5s: Buffer.concat(this.blocks) };
  }

  private endBlock(): void {
    if (this.block) this.blocks.push(this.block.digest());
    this.block = null;
  }
}
