import { close, read } from 'node:fs';
import { StagingError } from '../domain/errors.js';
import type { UploadPlan } from '../domain/block-plan.js';
import type { FileLook } from '../domain/identity.js';
import type { StageAnswer } from './staging.worker.js';

/** A whole file on the staging disk, synced, read only through the descriptor that wrote it. */
export class StagedFile {
  /** The source as it was read: its identity after the claim. */
  readonly look: FileLook;
  readonly plan: UploadPlan;
  /** The whole file's MD5, 16 bytes; null where it was not taken. */
  readonly md5: Buffer | null;
  /** The whole file's SHA-256, 32 bytes; null where it was not asked for. */
  readonly sha256: Buffer | null;
  /** 16 bytes a block; empty for a single put. */
  readonly blockMd5s: Buffer;
  /** All of its bytes where they are few enough to be kept in memory; null where they must be read. */
  readonly bytes: Buffer | null;
  private readonly descriptor: number | null;
  private reads = 0;
  private onRead: (() => void) | null = null;
  private discarding: Promise<void> | null = null;

  /** @param giveBack gives its path back; never throws */
  constructor(
    answer: Extract<StageAnswer, { kind: 'staged' }>,
    private readonly giveBack: () => Promise<void>,
  ) {
    this.look = answer.look;
    this.plan = answer.plan;
    this.md5 = answer.md5 && Buffer.from(answer.md5);
    this.sha256 = answer.sha256 && Buffer.from(answer.sha256);
    this.blockMd5s = Buffer.from(answer.blockMd5s);
    this.bytes = 'bytes' in answer.content ? Buffer.from(answer.content.bytes.buffer) : null;
    this.descriptor = 'bytes' in answer.content ? null : answer.content.descriptor;
  }

  /** Fills `buffer` with `length` bytes from `offset` on. @throws StagingError, also where there are fewer */
  async read(buffer: Buffer, offset: number, length: number): Promise<void> {
    for (let at = 0; at < length;) {
      const got = await this.readSome(buffer, at, length - at, offset + at);
      if (got === 0) throw new StagingError('ESHORT', `the staged file ends at ${offset + at} bytes`);
      at += got;
    }
  }

  /** Closes it and gives its path back, once what is being read has been read; safe to repeat. */
  discard(): Promise<void> {
    return (this.discarding ??= this.remove());
  }

  private readSome(buffer: Buffer, at: number, length: number, position: number): Promise<number> {
    // the descriptor's number may be another file's by now
    if (this.discarding) throw new StagingError('EBADF', 'the staged file was discarded');
    const { descriptor } = this;
    if (descriptor === null)
      return Promise.resolve(this.bytes?.copy(buffer, at, position, position + length) ?? 0);
    this.reads += 1;
    return new Promise((resolve, reject) =>
      read(descriptor, buffer, at, length, position, (error, bytes) => {
        this.reads -= 1;
        if (this.reads === 0) this.onRead?.();
        if (!error) return resolve(bytes);
        const message = `the staged file could not be read: ${error.message}`;
        reject(new StagingError(error.code ?? 'EUNKNOWN', message));
      }),
    );
  }

  private async remove(): Promise<void> {
    if (this.reads > 0) await new Promise<void>((resolve) => (this.onRead = resolve));
    const { descriptor } = this;
    if (descriptor !== null) await new Promise<void>((resolve) => close(descriptor, () => resolve()));
    await this.giveBack();
  }
}
