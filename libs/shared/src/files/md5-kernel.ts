import { md5ModuleBytes } from './md5-module.js';

/** Streams that one call advances. */
export const LANES = 4;
/** Bytes of a step of MD5. */
export const STEP = 64;
/** Bytes of the words that a call works on: four of each lane's block digest, then of its whole digest. */
export const WORK_BYTES = 128;
/** What a digest begins with: RFC 1321, section 3.3. */
export const MD5_BEGIN: readonly number[] = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476];
const WORDS = 4;

type Advance = (work: number, a: number, b: number, c: number, d: number, steps: number) => void;

/** Where a stream stands. All are byte addresses in the shared memory. */
export interface Lane {
  /** Eight 32-bit words: the state of the block's digest, then that of the whole file's. */
  readonly state: number;
  /** The next bytes. */
  readonly input: number;
}

/** Compiles the code, once a process: threads share it. @returns null where this processor lacks the instructions */
export function compileMd5(): WebAssembly.Module | null {
  const bytes = md5ModuleBytes();
  return WebAssembly.validate(bytes) ? new WebAssembly.Module(bytes) : null;
}

/**
 * MD5 of up to four streams side by side, in the four lanes of SIMD registers, and for each stream two digests over the
 * same bytes: that of its block and that of its whole file. One step of MD5 waits for the one before, so a processor
 * that takes one digest at a time is idle most of the time.
 */
export class Md5Kernel {
  private readonly words: Uint32Array;
  private readonly blocks: Advance;
  private readonly both: Advance;

  /** @param work address of {@link WORK_BYTES} bytes that nobody else uses, a multiple of 16 */
  constructor(
    module: WebAssembly.Module,
    memory: WebAssembly.Memory,
    private readonly work: number,
  ) {
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    this.words = new Uint32Array(memory.buffer);
    this.blocks = exports.blocks as Advance;
    this.both = exports.both as Advance;
  }

  /**
   * Advances the block digests, and with `whole` those of the whole files too, by `steps` times {@link STEP} bytes.
   *
   * @param lanes one to four
   */
  advance(lanes: readonly Lane[], steps: number, whole: boolean): void {
    const first = lanes[0];
    if (!first) return;
    const digests = whole ? 2 : 1;
    for (const [l, { state }] of lanes.entries())
      for (let i = 0; i < digests * WORDS; i++)
        this.words[this.work / 4 + i * LANES + l] = this.words[state / 4 + i] ?? 0;
    // a lane that is not used repeats the first one's bytes, and what comes of it is not looked at
    const input = (l: number): number => (lanes[l] ?? first).input;
    (whole ? this.both : this.blocks)(this.work, input(0), input(1), input(2), input(3), steps);
    for (const [l, { state }] of lanes.entries())
      for (let i = 0; i < digests * WORDS; i++)
        this.words[state / 4 + i] = this.words[this.work / 4 + i * LANES + l] ?? 0;
  }
}
