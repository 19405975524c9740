import { STEP, WORK_BYTES, type Lane } from './md5-kernel.js';

/** Bytes of a piece of a file: larger ones fall out of the processor's caches. */
export const PIECE = 1024 * 1024;
/** Pieces of one slot: one is read while the other is written and hashed. */
const PIECES = 2;
const PAGE = 65_536;

// the word of the head
const BELL = 0;
// bytes of the head and of each slot's record, which stand in the first page
const RECORD = 512;
const PHASE = 0;
const INPUT = 4;
const STEPS = 8;
const STATE = 16;
const COPY = 48;
const WORK = 128;
const TAIL = WORK + WORK_BYTES;

const IDLE = 0;
const READY = 1;

/** The most slots that one memory has. */
export const SLOTS_MAX = PAGE / RECORD - 1;

/**
 * The memory that staging threads and the hasher share: a slot for each staging thread, with the pieces that it reads
 * into and the state of its digests. A slot is either its thread's or, from {@link submit} until it is idle again, the
 * hasher's.
 */
export class HashMemory {
  private readonly words: Int32Array;

  constructor(readonly memory: WebAssembly.Memory) {
    this.words = new Int32Array(memory.buffer);
  }

  /** A memory with room for so many slots; what is never touched costs nothing. */
  static make(slots: number): WebAssembly.Memory {
    const pages = 1 + (slots * PIECES * PIECE) / PAGE;
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  }

  /** Where the hasher works. */
  readonly work = WORK;

  /** The pieces of a slot. */
  pieces(slot: number): Buffer[] {
    const first = PAGE + slot * PIECES * PIECE;
    return Array.from({ length: PIECES }, (_, i) =>
      Buffer.from(this.memory.buffer, first + i * PIECE, PIECE),
    );
  }

  /** Addresses of a slot: where its thread works, the states of its digests, a place for a copy, and 128 bytes more. */
  slot(slot: number): { work: number; state: number; copy: number; tail: number } {
    const record = this.record(slot);
    return { work: record + WORK, state: record + STATE, copy: record + COPY, tail: record + TAIL };
  }

  /** Hands a slot to the hasher: `steps` steps from the address `input` on. */
  submit(slot: number, input: number, steps: number): void {
    const record = this.record(slot);
    this.words[(record + INPUT) / 4] = input;
    this.words[(record + STEPS) / 4] = steps;
    Atomics.store(this.words, (record + PHASE) / 4, READY);
    Atomics.add(this.words, BELL, 1);
    Atomics.notify(this.words, BELL);
  }

  /** Waits until a slot is its thread's again. */
  settled(slot: number): void {
    const phase = (this.record(slot) + PHASE) / 4;
    while (Atomics.load(this.words, phase) === READY) Atomics.wait(this.words, phase, READY);
  }

  /** For the hasher: the slots that are handed to it, at most `most`. */
  ready(most: number): number[] {
    const slots: number[] = [];
    const count = (this.memory.buffer.byteLength - PAGE) / (PIECES * PIECE);
    for (let slot = 0; slot < count && slots.length < most; slot++)
      if (Atomics.load(this.words, (this.record(slot) + PHASE) / 4) === READY) slots.push(slot);
    return slots;
  }

  /** For the hasher: what is asked of a slot. */
  order(slot: number): Lane & { readonly steps: number } {
    const record = this.record(slot);
    const word = (at: number): number => this.words[(record + at) / 4] ?? 0;
    return { state: record + STATE, input: word(INPUT), steps: word(STEPS) };
  }

  /**
   * For the hasher: notes that so many steps of a slot were taken; with the last one it is its thread's again.
   *
   * @returns whether it was the last one
   */
  took(slot: number, steps: number): boolean {
    const record = this.record(slot);
    const { input, steps: asked } = this.order(slot);
    this.words[(record + INPUT) / 4] = input + steps * STEP;
    this.words[(record + STEPS) / 4] = asked - steps;
    if (steps < asked) return false;
    Atomics.store(this.words, (record + PHASE) / 4, IDLE);
    Atomics.notify(this.words, (record + PHASE) / 4);
    return true;
  }

  /** For the hasher: the bell, read before looking at the slots. */
  get bell(): number {
    return Atomics.load(this.words, BELL);
  }

  /** For the hasher: waits until the bell rang since, at most `ms` milliseconds. @returns whether it rang */
  rang(since: number, ms?: number): boolean {
    return Atomics.wait(this.words, BELL, since, ms) !== 'timed-out';
  }

  private record(slot: number): number {
    return (slot + 1) * RECORD;
  }
}
