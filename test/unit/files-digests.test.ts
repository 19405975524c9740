import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { planUpload } from '@app/shared/domain';
import { Digests } from '../../libs/shared/src/files/digests.js';
import { test } from '../support/index.js';

const md5 = (bytes: Uint8Array): Buffer => createHash('md5').update(bytes).digest();

/** Sizes around the multiples of a block, where mistakes live, and any others. */
const cases = fc.integer({ min: 1, max: 700 }).chain((blockSize) =>
  fc.record({
    blockSize: fc.constant(blockSize),
    single: fc.integer({ min: 0, max: 1_000 }),
    size: fc.oneof(
      fc.integer({ min: 0, max: 5_000 }),
      fc
        .tuple(fc.integer({ min: 0, max: 7 }), fc.integer({ min: 0, max: 1 }))
        .map(([n, more]) => n * blockSize + more),
    ),
    pieces: fc.array(fc.integer({ min: 1, max: 1_500 }), { maxLength: 20 }),
    contentMd5: fc.boolean(),
  }),
);

test('digests equal those of the whole and of each block, however the bytes come', () => {
  fc.assert(
    fc.property(cases, ({ blockSize, single, size, pieces, contentMd5 }) => {
      const bytes = randomBytes(size);
      const plan = planUpload(size, {
        maxBlockSize: blockSize,
        maxSinglePutSize: single,
        blockMemory: blockSize,
      });
      const digests = new Digests(plan, contentMd5);
      let at = 0;
      for (const piece of pieces) digests.update(bytes.subarray(at, (at += piece)));
      digests.update(bytes.subarray(at));
      const found = digests.end();

      const whole = contentMd5 || plan.kind === 'single' ? md5(bytes) : null;
      assert.deepEqual(found.md5, whole);
      const blocks: Buffer[] = [];
      if (plan.kind === 'blocks')
        for (let start = 0; start < size; start += blockSize)
          blocks.push(md5(bytes.subarray(start, start + blockSize)));
      assert.deepEqual(found.blockMd5s, Buffer.concat(blocks));
    }),
    { numRuns: 500 },
  );
});
