import { Interrupted } from '@app/shared/domain';

/** Smaller buffers are quickly made; bytes. */
const LEAST_POOLED = 1024 * 1024;

interface Waiter {
  readonly bytes: number;
  readonly grant: () => void;
}

/** A buffer on loan; give it back once its bytes are sent. */
export interface LentBuffer {
  readonly buffer: Buffer;
  /** Safe to repeat. */
  release(): void;
}

/**
 * The ceiling of all block buffers of this process: a buffer is lent only when its bytes are free, first come, first
 * served, so memory stays bounded whatever the files' sizes. Buffers of one size are used again.
 */
export class BlockMemory {
  private free: number;
  private readonly waiters: Waiter[] = [];
  /** Buffers of full blocks that nobody has now; all of one size. */
  private pool: Buffer[] = [];

  /** @param bytes `APP_BLOCK_MEMORY` */
  constructor(private readonly bytes: number) {
    this.free = bytes;
  }

  /**
   * Lends a buffer of exactly `bytes`.
   *
   * @throws Interrupted when the signal aborts while waiting; RangeError for more than the ceiling
   */
  async lend(bytes: number, signal: AbortSignal): Promise<LentBuffer> {
    if (bytes > this.bytes) throw new RangeError(`${bytes} bytes are over APP_BLOCK_MEMORY (${this.bytes})`);
    if (signal.aborted) throw new Interrupted('stopped while waiting for block memory');
    if (this.waiters.length > 0 || this.free < bytes) await this.wait(bytes, signal);
    else this.free -= bytes;
    const buffer = this.take(bytes);
    let lent = true;
    return {
      buffer,
      release: () => {
        if (!lent) return;
        lent = false;
        this.keep(buffer);
        this.free += bytes;
        this.serve();
      },
    };
  }

  private wait(bytes: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        bytes,
        grant: () => {
          signal.removeEventListener('abort', abort);
          this.free -= bytes;
          resolve();
        },
      };
      const abort = () => {
        this.waiters.splice(this.waiters.indexOf(waiter), 1);
        reject(new Interrupted('stopped while waiting for block memory'));
        this.serve();
      };
      signal.addEventListener('abort', abort, { once: true });
      this.waiters.push(waiter);
    });
  }

  private serve(): void {
    for (let first = this.waiters[0]; first && first.bytes <= this.free; first = this.waiters[0]) {
      this.waiters.shift();
      first.grant();
    }
  }

  /** A buffer out of the pool, or a new one; what lies in the pool counts towards the ceiling, too. */
  private take(bytes: number): Buffer {
    if (this.pool[0]?.length !== bytes) {
      const pooled = this.pool.length * (this.pool[0]?.length ?? 0);
      if (pooled > this.free) this.pool = [];
    }
    return (this.pool[0]?.length === bytes ? this.pool.pop() : undefined) ?? Buffer.allocUnsafeSlow(bytes);
  }

  /** Only full-size blocks recur; buffers of odd sizes would pile up in the pool. */
  private keep(buffer: Buffer): void {
    if (buffer.length >= LEAST_POOLED && (this.pool[0]?.length ?? buffer.length) === buffer.length)
      this.pool.push(buffer);
  }
}
