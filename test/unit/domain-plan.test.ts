import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  backoffMs,
  BLOCK_ID_LENGTH,
  blockId,
  blockLength,
  BLOCKS_MAX,
  FileTooLarge,
  formatBytes,
  messageOf,
  plannedBlocks,
  planUpload,
  sameBlocks,
  VolumeError,
} from '@app/shared/domain';
import { test } from '../support/index.js';

const MIB = 2 ** 20;
const rule = { maxBlockSize: 8 * MIB, maxSinglePutSize: 4 * MIB, blockMemory: 64 * MIB };

test('what fits one put is one put, also when it is empty', () => {
  assert.deepEqual(planUpload(0, rule), { kind: 'single', size: 0 });
  assert.deepEqual(planUpload(4 * MIB, rule), { kind: 'single', size: 4 * MIB });
  assert.deepEqual(planUpload(4 * MIB + 1, rule), {
    kind: 'blocks',
    size: 4 * MIB + 1,
    blockSize: 8 * MIB,
    count: 1,
  });
});

test('the block grows where a file would need over 50,000 of them, until the memory ends', () => {
  const most = BLOCKS_MAX * 8 * MIB;
  assert.deepEqual(planUpload(most, rule), {
    kind: 'blocks',
    size: most,
    blockSize: 8 * MIB,
    count: BLOCKS_MAX,
  });
  const grown = planUpload(most + 1, rule);
  assert.ok(grown.kind === 'blocks' && grown.blockSize === 9 * MIB);
  assert.equal(planUpload(BLOCKS_MAX * 64 * MIB, rule).kind, 'blocks');
  assert.throws(
    () => planUpload(BLOCKS_MAX * 64 * MIB + 1, rule),
    (error) => error instanceof FileTooLarge && /APP_BLOCK_MEMORY/.test(error.message),
  );
});

test('a plan covers the file exactly, in at most 50,000 blocks, none over the memory; or it says FileTooLarge', () => {
  const sizes = fc.oneof(fc.integer({ min: 0, max: 10_000 }), fc.integer({ min: 0, max: 2 ** 46 }));
  fc.assert(
    fc.property(
      sizes,
      fc.integer({ min: 1, max: 100 * MIB }),
      fc.integer({ min: 0, max: 100 * MIB }),
      fc.integer({ min: 0, max: 512 * MIB }),
      (size, maxBlockSize, single, more) => {
        const blockMemory = Math.max(maxBlockSize, single) + more;
        let plan;
        try {
          plan = planUpload(size, { maxBlockSize, maxSinglePutSize: single, blockMemory });
        } catch (error) {
          assert.ok(error instanceof FileTooLarge);
          assert.ok(Math.ceil(size / BLOCKS_MAX / MIB) * MIB > blockMemory);
          return;
        }
        assert.equal(plan.size, size);
        assert.equal(plan.kind === 'single', size <= single);
        if (plan.kind === 'single') return;
        assert.ok(
          plan.count <= BLOCKS_MAX && plan.blockSize <= blockMemory && plan.blockSize >= maxBlockSize,
        );
        const last = blockLength(plan, plan.count - 1);
        assert.ok(last > 0 && last <= plan.blockSize);
        assert.equal((plan.count - 1) * plan.blockSize + last, size);
        if (plan.count > 1) assert.equal(blockLength(plan, 0), plan.blockSize);
      },
    ),
  );
});

test('a block id is base64 of the 4-byte index and the MD5, and all have one length', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: BLOCKS_MAX - 1 }),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      (index, md5) => {
        const id = blockId(index, md5);
        const back = Buffer.from(id, 'base64');
        assert.equal(id.length, BLOCK_ID_LENGTH);
        assert.equal(back.readUInt32BE(0), index);
        assert.deepEqual(new Uint8Array(back.subarray(4)), new Uint8Array(md5));
      },
    ),
  );
  assert.throws(() => blockId(0, new Uint8Array(15)), RangeError);
});

test('a planned list is proof: another digest, size, order or count is another list', () => {
  const plan = { kind: 'blocks', size: 25, blockSize: 10, count: 3 } as const;
  const md5s = Uint8Array.from({ length: 48 }, (_, i) => i);
  const blocks = plannedBlocks(plan, md5s);
  assert.deepEqual(
    blocks.map((block) => block.size),
    [10, 10, 5],
  );
  assert.ok(sameBlocks(blocks, plannedBlocks(plan, md5s.slice())));
  const other = md5s.slice();
  other[47] = 0;
  assert.ok(!sameBlocks(blocks, plannedBlocks(plan, other)));
  assert.ok(!sameBlocks(blocks, blocks.slice(0, 2)) && !sameBlocks(blocks.slice(0, 2), blocks));
  assert.ok(!sameBlocks(blocks, blocks.toReversed()));
  assert.ok(
    !sameBlocks(
      blocks,
      blocks.map((block) => ({ ...block, size: 9 })),
    ),
  );
});

test('a delay doubles, has its jitter in the lower half, and never passes its ceiling', () => {
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 1e9 }),
      fc.integer({ min: 0, max: 1e6 }),
      random,
      (n, firstMs, r) => {
        const delay = backoffMs(n, firstMs, 300_000, r);
        const full = Math.min(300_000, firstMs * 2 ** Math.min(60, Math.max(0, n - 1)));
        assert.ok(Number.isInteger(delay) && delay <= full && delay >= Math.floor(full / 2));
      },
    ),
  );
  assert.deepEqual(
    [1, 2, 3, 4].map((n) => backoffMs(n, 2_000, 300_000, 0)),
    [1_000, 2_000, 4_000, 8_000],
  );
});

test('errors say whose fault they are, in one line', () => {
  assert.equal(new VolumeError('ESTALE', 'rename', 'x').disposition, 'outage');
  assert.equal(new VolumeError('EACCES', 'open', 'x').disposition, 'probe');
  assert.equal(new VolumeError('EISDIR', 'open', 'x').disposition, 'retry');
  assert.equal(messageOf(new Error('first\nsecond')), 'first');
  assert.equal(messageOf(new AggregateError([new Error('one'), new Error('two')])), 'one; two');
  assert.equal(messageOf('text'), 'text');
});

test('bytes read well', () => {
  assert.equal(formatBytes(0), '0 bytes');
  assert.equal(formatBytes(1023), '1023 bytes');
  assert.equal(formatBytes(8 * MIB), '8.0 MiB');
  assert.equal(formatBytes(1.5 * 2 ** 40), '1.5 TiB');
});
