import type { UploadPlan } from '../domain/block-plan.js';
import type { FileDigests, TakenDigests } from './digests.js';
import { HashMemory } from './hash-memory.js';
import type { HashSlot } from './hasher.js';
import { MD5_BEGIN, Md5Kernel, STEP } from './md5-kernel.js';

type BlockPlan = Extract<UploadPlan, { kind: 'blocks' }>;

const DIGEST_BYTES = 16;
/** Bytes behind which the length of a digest no longer fits into its last step: RFC 1321, section 3.1. */
const LENGTH_AT = 56;
/** Smaller blocks are hashed by the thread itself: handing each over would cost more than it saves. */
const BLOCK_LEAST = 64 * 1024;
const NOTHING = Buffer.alloc(0);

/** A staging thread's side of the hasher: it submits pieces, and ends digests by itself. */
export class HashingSlot {
  /** Where the thread reads pieces of files into. */
  readonly pieces: readonly Buffer[];
  private readonly shared: HashMemory;
  private readonly kernel: Md5Kernel;
  private readonly at: ReturnType<HashMemory['slot']>;
  private readonly words: Uint32Array;
  private readonly tail: Buffer;

  constructor(private readonly setup: HashSlot) {
    this.shared = new HashMemory(setup.memory);
    this.pieces = this.shared.pieces(setup.slot);
    this.at = this.shared.slot(setup.slot);
    this.kernel = new Md5Kernel(setup.module, setup.memory, this.at.work);
    this.words = new Uint32Array(setup.memory.buffer);
    this.tail = Buffer.from(setup.memory.buffer, this.at.tail, 2 * STEP);
  }

  /**
   * Whether the digests of such a file are taken here: its blocks must be whole steps of MD5, and worth it.
   *
   * @param whole whether the whole file's is wanted, which not every slot takes
   */
  takes(plan: UploadPlan, whole: boolean): plan is BlockPlan {
    return (
      (this.setup.whole || !whole) &&
      plan.kind === 'blocks' &&
      plan.blockSize % STEP === 0 &&
      plan.blockSize >= BLOCK_LEAST
    );
  }

  /** Begins the digests of a file. Only one file at a time. */
  begin(plan: BlockPlan): FileDigests {
    return new SlotDigests(plan, this.setup.whole, this);
  }

  /** Begins a block's digest (0) or that of the whole file (1). */
  reset(digest: 0 | 1): void {
    for (const [i, word] of MD5_BEGIN.entries()) this.words[this.at.state / 4 + 4 * digest + i] = word;
  }

  /** Hands bytes to the hasher; they stay as they are until {@link settled}. */
  submit(bytes: Buffer): void {
    this.shared.submit(this.setup.slot, bytes.byteOffset, bytes.length / STEP);
  }

  /** Waits for the hasher. */
  settled(): void {
    this.shared.settled(this.setup.slot);
  }

  /** The digest (0: the block's, 1: the whole file's) after some last bytes, fewer than a step; its state stays. */
  digest(digest: 0 | 1, last: Buffer, length: number): Buffer {
    const state = this.at.state / 4 + 4 * digest;
    const copy = this.at.copy / 4;
    for (let i = 0; i < 4; i++) this.words[copy + i] = this.words[state + i] ?? 0;
    const bytes = last.length < LENGTH_AT ? STEP : 2 * STEP;
    this.tail.fill(0);
    last.copy(this.tail);
    this.tail[last.length] = 0x80;
    this.tail.writeBigUInt64LE(BigInt(length) * 8n, bytes - 8);
    this.kernel.advance([{ state: this.at.copy, input: this.at.tail }], bytes / STEP, false);
    const result = Buffer.alloc(DIGEST_BYTES);
    for (let i = 0; i < 4; i++) result.writeUInt32LE(this.words[copy + i] ?? 0, 4 * i);
    return result;
  }
}

/** The digests of one file, taken by the hasher. All pieces but the last one must be whole steps of MD5. */
class SlotDigests implements FileDigests {
  private readonly blocks: Buffer[] = [];
  /** What is left of the piece in hand. */
  private rest: Buffer = NOTHING;
  /** Bytes that were submitted. */
  private taken = 0;
  private submitted = false;
  /** The file's last bytes, which are no whole step. */
  private last: Buffer = NOTHING;

  constructor(
    private readonly plan: BlockPlan,
    private readonly whole: boolean,
    private readonly slot: HashingSlot,
  ) {
    slot.reset(0);
    slot.reset(1);
  }

  update(piece: Buffer): void {
    this.rest = piece;
    this.submit();
  }

  settle(): void {
    while (this.submitted) {
      this.slot.settled();
      this.submitted = false;
      if (this.taken % this.plan.blockSize === 0) this.endBlock(this.plan.blockSize);
      if (this.rest.length > 0) this.submit();
    }
  }

  end(): TakenDigests {
    this.settle();
    const ofLastBlock = this.plan.size % this.plan.blockSize;
    if (ofLastBlock > 0) this.endBlock(ofLastBlock);
    const md5 = this.whole ? this.slot.digest(1, this.last, this.plan.size) : null;
    return { md5, blockMd5s: Buffer.concat(this.blocks) };
  }

  close(): void {
    if (this.submitted) this.slot.settled();
  }

  /** Submits the piece in hand as far as its block goes. */
  private submit(): void {
    const room = this.plan.blockSize - (this.taken % this.plan.blockSize);
    const length = Math.min(room, this.rest.length - (this.rest.length % STEP));
    if (length === 0) {
      // copied: the buffer is read into again before the digests are ended
      this.last = Buffer.from(this.rest);
      return;
    }
    this.slot.submit(this.rest.subarray(0, length));
    this.submitted = true;
    this.taken += length;
    this.rest = this.rest.subarray(length);
  }

  private endBlock(length: number): void {
    this.blocks.push(this.slot.digest(0, this.last, length));
    this.slot.reset(0);
  }
}
