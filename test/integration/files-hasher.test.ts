import assert from 'node:assert/strict';
import { createHash, randomBytes, randomInt } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { blockLength, planUpload } from '@app/shared/domain';
import { Staging, type StagedFile } from '@app/shared/files';
import { HashMemory } from '../../libs/shared/src/files/hash-memory.js';
import { compileMd5, Md5Kernel, MD5_BEGIN, LANES, STEP } from '../../libs/shared/src/files/md5-kernel.js';
import { test } from '../support/index.js';

const MIB = 1024 * 1024;
const md5 = (bytes: Uint8Array): Buffer => createHash('md5').update(bytes).digest();

/** A message with its padding: RFC 1321, sections 3.1 and 3.2. */
function padded(bytes: Buffer): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.length) * 8n);
  const zeros = (2 * STEP - ((bytes.length + 9) % STEP)) % STEP;
  return Buffer.concat([bytes, Buffer.from([0x80]), Buffer.alloc(zeros), length]);
}

test('each lane of the kernel is MD5, however many are used and wherever their calls end', () => {
  const module = compileMd5();
  assert.ok(module, 'this processor has no SIMD for WebAssembly');
  const memory = HashMemory.make(LANES);
  const shared = new HashMemory(memory);
  const kernel = new Md5Kernel(module, memory, shared.work);
  const words = new Uint32Array(memory.buffer);
  const digestAt = (state: number, i: number): Buffer => {
    const digest = Buffer.alloc(16);
    for (let word = 0; word < 4; word++) digest.writeUInt32LE(words[state / 4 + 4 * i + word] ?? 0, 4 * word);
    return digest;
  };
  const messages = fc.array(fc.uint8Array({ maxLength: 1000 }), { minLength: 1, maxLength: LANES });
  fc.assert(
    fc.property(messages, fc.integer({ min: 1, max: 5 }), fc.boolean(), (bytes, atOnce, whole) => {
      const inputs = bytes.map((message) => padded(Buffer.from(message)));
      const left = inputs.map((input, slot) => {
        const piece = shared.pieces(slot)[0]!;
        input.copy(piece);
        const { state } = shared.slot(slot);
        for (let i = 0; i < 8; i++) words[state / 4 + i] = MD5_BEGIN[i % 4]!;
        return { state, input: piece.byteOffset, steps: input.length / STEP };
      });
      for (let lanes = left; lanes.length > 0; lanes = lanes.filter(({ steps }) => steps > 0)) {
        const steps = Math.min(atOnce, ...lanes.map((lane) => lane.steps));
        kernel.advance(lanes, steps, whole);
        for (const lane of lanes) {
          lane.input += steps * STEP;
          lane.steps -= steps;
        }
      }
      for (const [slot, message] of bytes.entries()) {
        const { state } = shared.slot(slot);
        assert.deepEqual(digestAt(state, 0), md5(message));
        // what was not asked for stays as it was
        const untouched = Buffer.from(Uint32Array.from(MD5_BEGIN).buffer);
        assert.deepEqual(digestAt(state, 1), whole ? md5(message) : untouched);
      }
    }),
    { numRuns: 300 },
  );
});

test('files that are staged at once get the digests of their own bytes, whatever their sizes and blocks', async (t) => {
  const folder = fs.mkdtempSync(join(tmpdir(), 'sluice-hasher-'));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  // parts of a step and small blocks, which no lane takes; whole steps; blocks that end within a piece
  const blockSizes = [1000, 4096, 65_536, 100_032, MIB, MIB + STEP, 3 * MIB];
  for (const contentMd5 of [true, false])
    for (const maxBlockSize of blockSizes) {
      const rule = { maxBlockSize, maxSinglePutSize: 0, blockMemory: 64 * MIB };
      const staging = new Staging({
        root: join(folder, `staging-${maxBlockSize}-${contentMd5}`),
        ...{ limitBytes: null, blockRule: rule, contentMd5 },
      });
      staging.start();
      const most = Math.min(7 * MIB, 1_000 * maxBlockSize);
      const near = (size: number): number => Math.max(1, size + randomInt(-1, 2));
      const sizes = [1, STEP, near(maxBlockSize), near(MIB), near(2 * MIB), ...random(3, most)].map((size) =>
        Math.min(size, most),
      );
      await Promise.all(
        sizes.map(async (size, i) => {
          const bytes = randomBytes(size);
          const source = join(folder, `${maxBlockSize}-${contentMd5}-${i}`);
          fs.writeFileSync(source, bytes);
          const file = await stage(staging, source, size);
          const plan = planUpload(size, rule);
          assert.ok(plan.kind === 'blocks');
          assert.deepEqual(
            file.md5,
            contentMd5 ? md5(bytes) : null,
            `${size} bytes, blocks of ${maxBlockSize}`,
          );
          const blocks = Array.from({ length: plan.count }, (_, index) => {
            const from = index * plan.blockSize;
            return md5(bytes.subarray(from, from + blockLength(plan, index)));
          });
          assert.ok(file.blockMd5s.equals(Buffer.concat(blocks)), `${size} bytes, blocks of ${maxBlockSize}`);
          const back = Buffer.alloc(size);
          await file.read(back, 0, size);
          assert.ok(back.equals(bytes));
          await file.discard();
          fs.rmSync(source);
        }),
      );
      assert.equal(await staging.stop(), false);
    }
});

function random(count: number, most: number): number[] {
  return Array.from({ length: count }, () => randomInt(1, most + 1));
}

async function stage(staging: Staging, source: string, size: number): Promise<StagedFile> {
  const { signal } = new AbortController();
  const room = await staging.reserve(size, signal);
  const result = await staging.stage({
    claim: null,
    source,
    folder: '20260101/hasher',
    expect: null,
    room,
    signal,
  });
  assert.equal(result.kind, 'staged');
  room.release();
  return result.file;
}
