/**
 * Writes the WebAssembly module behind {@link Md5Kernel}, instruction by instruction: 64 steps of RFC 1321, unrolled,
 * each on four lanes, and with two digests a lane each on both in turn.
 *
 * The binary format: https://webassembly.github.io/spec/core/binary/
 */
export function md5ModuleBytes(): Uint8Array {
  const type = [0x60, ...vector(Array<Code>(6).fill([I32])), ...vector([])];
  // shared memory must name its largest size; the importer's may be smaller
  const memory = [...name('env'), ...name('memory'), 0x02, 0x03, ...unsigned(1), ...unsigned(65_536)];
  const exported = ['blocks', 'both'].map((text, i) => [...name(text), 0x00, i]);
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, vector([type])),
    ...section(2, vector([memory])),
    ...section(3, vector([[0], [0]])),
    ...section(7, vector(exported)),
    ...section(10, vector([advance(1), advance(2)])),
  ]);
}

type Code = readonly number[];

const I32 = 0x7f;
const V128 = 0x7b;
const LANES = 4;
const VECTOR_BYTES = 16;
const STEP_BYTES = 64;

/** Constants of RFC 1321, section 3.4: the sines, the shifts of each round, and the order of words in each. */
const SINES = Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32));
const SHIFTS = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
] as const;
const WORD_OF = [
  (i: number) => i,
  (i: number) => (5 * i + 1) % 16,
  (i: number) => (3 * i + 5) % 16,
  (i: number) => (7 * i) % 16,
] as const;

const unsigned = (n: number): Code => (n < 0x80 ? [n] : [(n & 0x7f) | 0x80, ...unsigned(n >>> 7)]);
const signed = (n: number): Code =>
  n >= -0x40 && n < 0x40 ? [n & 0x7f] : [(n & 0x7f) | 0x80, ...signed(n >> 7)];
const vector = (items: readonly Code[]): Code => [...unsigned(items.length), ...items.flat()];
const name = (text: string): Code => vector([...Buffer.from(text)].map((byte) => [byte]));
const section = (id: number, body: Code): Code => [id, ...unsigned(body.length), ...body];

const get = (local: number): Code => [0x20, ...unsigned(local)];
const set = (local: number): Code => [0x21, ...unsigned(local)];
const tee = (local: number): Code => [0x22, ...unsigned(local)];
const integer = (n: number): Code => [0x41, ...signed(n)];
const simd = (operation: number, ...immediate: Code): Code => [0xfd, ...unsigned(operation), ...immediate];
const load = (offset: number): Code => simd(0x00, 0, ...unsigned(offset));
const store = (offset: number): Code => simd(0x0b, 0, ...unsigned(offset));
const shuffle = (...bytes: Code): Code => simd(0x0d, ...bytes);
const all = (word: number): Code => {
  const bytes = Buffer.alloc(VECTOR_BYTES);
  for (let lane = 0; lane < LANES; lane++) bytes.writeUInt32LE(word, 4 * lane);
  return simd(0x0c, ...bytes);
};
const [not, and, andNot, or, xor] = [simd(0x4d), simd(0x4e), simd(0x4f), simd(0x50), simd(0x51)] as const;
const [shiftLeft, shiftRight, add] = [simd(0xab), simd(0xad), simd(0xae)] as const;
const ADD_I32 = 0x6a;
const SUB_I32 = 0x6b;

/** The function of each round on `b`, `c`, `d`, and that it is added to the word that lies on the stack. */
const MIX = [
  (b: number, c: number, d: number): Code => [
    ...[...get(c), ...get(d), ...xor, ...get(b), ...and, ...get(d), ...xor],
    ...add,
  ],
  // the two halves have no bit in common, so they may be added one after the other: a shorter wait for b
  (b: number, c: number, d: number): Code => [
    ...[...get(c), ...get(d), ...andNot, ...add],
    ...[...get(b), ...get(d), ...and, ...add],
  ],
  (b: number, c: number, d: number): Code => [...[...get(c), ...get(d), ...xor, ...get(b), ...xor], ...add],
  (b: number, c: number, d: number): Code => [
    ...[...get(d), ...not, ...get(b), ...or, ...get(c), ...xor],
    ...add,
  ],
] as const;

/** A function `(work, input0, input1, input2, input3, steps)` that advances so many digests of each lane. */
function advance(digests: 1 | 2): Code {
  const [work, inputs, steps] = [0, [1, 2, 3, 4], 5] as const;
  let locals = 6;
  const some = (count: number): number[] => Array.from({ length: count }, () => locals++);
  const states = Array.from({ length: digests }, () => some(4));
  const before = states.map(() => some(4));
  const [words, rows, pairs, [addend = 0, sum = 0]] = [some(16), some(4), some(4), some(2)];
  const eachState = (body: (local: number, digest: number, i: number) => Code): Code =>
    states.flatMap((state, digest) => state.flatMap((local, i) => body(local, digest, i)));
  const place = (digest: number, i: number): number => VECTOR_BYTES * (4 * digest + i);

  const code: number[] = [];
  const emit = (...parts: Code[]): void => {
    for (const part of parts) code.push(...part);
  };
  emit(eachState((local, digest, i) => [...get(work), ...load(place(digest, i)), ...set(local)]));
  emit([0x03, 0x40]); // loop
  for (let quarter = 0; quarter < 4; quarter++) emit(transposed(quarter, inputs, rows, pairs, words));
  emit(eachState((local, digest, i) => [...get(local), ...set(before[digest]?.[i] ?? 0)]));
  for (let step = 0; step < 64; step++) {
    const round = (step >> 4) as 0 | 1 | 2 | 3;
    const shift = SHIFTS[round][(step % 4) as 0 | 1 | 2 | 3];
    emit(get(words[WORD_OF[round](step)] ?? 0), all(SINES[step] ?? 0), add, set(addend));
    for (const state of states) {
      // a, b, c and d change places with each step
      const [a = 0, b = 0, c = 0, d = 0] = [0, 1, 2, 3].map((i) => state[(i + 64 - step) % 4]);
      emit(get(a), get(addend), add, MIX[round](b, c, d));
      emit(tee(sum), integer(shift), shiftLeft, get(sum), integer(32 - shift), shiftRight, or);
      emit(get(b), add, set(a));
    }
  }
  emit(
    eachState((local, digest, i) => [...get(local), ...get(before[digest]?.[i] ?? 0), ...add, ...set(local)]),
  );
  for (const input of inputs) emit(get(input), integer(STEP_BYTES), [ADD_I32], set(input));
  emit(get(steps), integer(1), [SUB_I32], tee(steps), [0x0d, 0x00], [0x0b]); // again while steps are left; end
  emit(eachState((local, digest, i) => [...get(work), ...get(local), ...store(place(digest, i))]));
  emit([0x0b]);
  const body = [...vector([[...unsigned(locals - 6), V128]]), ...code];
  return [...unsigned(body.length), ...body];
}

/** Loads four words of each of four inputs, and turns rows into columns: each local has one word of every lane then. */
function transposed(
  quarter: number,
  inputs: readonly number[],
  rows: readonly number[],
  pairs: readonly number[],
  words: readonly number[],
): Code {
  const word = (i: number): number[] => [4 * i, 4 * i + 1, 4 * i + 2, 4 * i + 3];
  const [low, high] = [
    [...word(0), ...word(4), ...word(1), ...word(5)],
    [...word(2), ...word(6), ...word(3), ...word(7)],
  ];
  const [firsts, seconds] = [
    [...word(0), ...word(1), ...word(4), ...word(5)],
    [...word(2), ...word(3), ...word(6), ...word(7)],
  ];
  const merged = (
    a: number | undefined,
    b: number | undefined,
    order: Code,
    to: number | undefined,
  ): Code => [...[...get(a ?? 0), ...get(b ?? 0), ...shuffle(...order), ...set(to ?? 0)]];
  const [r0, r1, r2, r3] = rows;
  const [p0, p1, p2, p3] = pairs;
  return [
    ...inputs.flatMap((input, l) => [...get(input), ...load(VECTOR_BYTES * quarter), ...set(rows[l] ?? 0)]),
    ...[...merged(r0, r1, low, p0), ...merged(r2, r3, low, p1)],
    ...[...merged(r0, r1, high, p2), ...merged(r2, r3, high, p3)],
    ...[...merged(p0, p1, firsts, words[4 * quarter]), ...merged(p0, p1, seconds, words[4 * quarter + 1])],
    ...[
      ...merged(p2, p3, firsts, words[4 * quarter + 2]),
      ...merged(p2, p3, seconds, words[4 * quarter + 3]),
    ],
  ];
}
