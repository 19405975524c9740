import { createHash } from 'node:crypto';
import { blockMd5, StoreError, type ListedBlock } from '@app/shared/domain';
import type { BlobFacts, BlobStore } from '../blob-store/blob-store.js';
import { areOurs, changed, damagedBlock, type Difference, type Wanted } from './compare.js';
import type { RateLimit } from './rate-limit.js';

/** How far a blob was read: its bytes are right, a difference, nothing that its bytes could be compared with, or up to a block. */
export type ReadBack =
  | { readonly kind: 'right' | 'no-digest' | 'unreadable' }
  | { readonly kind: 'differs'; readonly difference: Difference }
  | { readonly kind: 'paused'; readonly block: number };

/**
 * Reads a blob's bytes again, streaming, and compares each block's MD5 with the one in its id, or the whole with the
 * record's where it has no blocks. Holds no more than a piece of the stream.
 *
 * @param fromBlock where an earlier reading paused
 * @param isLate whether to pause before the next block; one block is always read
 * @throws StoreError, Interrupted
 */
export async function readBack(
  store: BlobStore,
  blob: string,
  wanted: Wanted,
  found: BlobFacts,
  fromBlock: number,
  limit: RateLimit,
  isLate: () => boolean,
  signal: AbortSignal,
): Promise<ReadBack> {
  const md5Of = async (from: number, size: number): Promise<string> => {
    const md5 = createHash('md5');
    if (size === 0) return md5.digest('hex');
    for await (const piece of store.bytes(blob, found.etag, from, size, signal)) {
      md5.update(piece);
      await limit.passed(piece.length, signal);
    }
    return md5.digest('hex');
  };
  try {
    const blocks = (await store.read(blob, signal)).committed;
    if (blocks.length > 0) return await readBlocks(blocks, wanted, fromBlock, md5Of, isLate);
    if (wanted.md5 === null) return { kind: 'no-digest' };
    if ((await md5Of(0, found.size)) === wanted.md5) return { kind: 'right' };
    return { kind: 'differs', difference: changed(wanted, 'its bytes are not what was uploaded') };
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (error.code === 'BlobArchived' || error.code === 'BlobBeingRehydrated') return { kind: 'unreadable' };
    if (error.status === 404 || error.status === 412)
      return { kind: 'differs', difference: changed(wanted, 'somebody writes it at this moment') };
    throw error;
  }
}

async function readBlocks(
  blocks: readonly ListedBlock[],
  wanted: Wanted,
  fromBlock: number,
  md5Of: (from: number, size: number) => Promise<string>,
  isLate: () => boolean,
): Promise<ReadBack> {
  if (!areOurs(blocks))
    return {
      kind: 'differs',
      difference: changed(wanted, 'another tool has stored it, in blocks of its own'),
    };
  let at = 0;
  for (const [index, { id, size }] of blocks.entries()) {
    if (index > fromBlock && isLate()) return { kind: 'paused', block: index };
    if (index >= fromBlock && (await md5Of(at, size)) !== blockMd5(id))
      return { kind: 'differs', difference: damagedBlock(wanted, index, at, size) };
    at += size;
  }
  return { kind: 'right' };
}
