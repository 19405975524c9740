import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { HashMemory, SLOTS_MAX } from './hash-memory.js';
import { compileMd5 } from './md5-kernel.js';

/** What a thread needs to hash with others. */
export interface HasherSetup {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Whether the digest of the whole file is taken besides the blocks'. */
  readonly whole: boolean;
}

/** What a staging thread gets: the shared memory, and its own slot in it. */
export interface HashSlot extends HasherSetup {
  readonly slot: number;
}

/**
 * Takes the MD5s of all files that are being staged, in one thread and side by side: four files at once cost little more
 * than one. Staging threads read pieces into shared memory and submit them.
 */
export class Hasher {
  private readonly free: number[];
  private worker: Worker | null = null;

  private constructor(
    private readonly setup: HasherSetup,
    slots: number,
  ) {
    this.free = Array.from({ length: slots }, (_, slot) => slot);
  }

  /**
   * @param slots staging threads that may be alive at once
   * @returns null where this processor lacks the instructions: then each thread hashes by itself
   */
  static make(slots: number, whole: boolean): Hasher | null {
    const module = slots <= SLOTS_MAX ? compileMd5() : null;
    return module && new Hasher({ module, memory: HashMemory.make(slots), whole }, slots);
  }

  /** Lends a slot to a staging thread that begins. @returns null where all are lent */
  lend(): HashSlot | null {
    // an error in it ends the process: no file could be staged without it, and none may wait for it for ever
    this.worker ??= new Worker(join(__dirname, 'hasher.worker.js'), { workerData: this.setup });
    this.worker.unref();
    const slot = this.free.shift();
    return slot === undefined ? null : { ...this.setup, slot };
  }

  /** Takes the slot of a thread back that has ended. */
  takeBack({ slot }: HashSlot): void {
    this.free.push(slot);
  }

  /** Ends the thread; safe to repeat. */
  async stop(): Promise<void> {
    await this.worker?.terminate();
    this.worker = null;
  }
}
