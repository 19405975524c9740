import { BLOCK_ID_LENGTH, blockIndex, formatBytes, type ListedBlock } from '@app/shared/domain';
import type { BlobFacts } from '../blob-store/blob-store.js';

/** A blob that is not as it was when it was verified. */
export interface Difference {
  readonly filename: string;
  readonly what: 'missing' | 'changed' | 'tier';
  /** A sentence. */
  readonly detail: string;
}

/**
 * What shows that a blob is as it was:
 *
 * - `etag`: the store's ETag is the one that was verified, so nobody has written the blob since
 * - `bytes`: its bytes were read again, and are those that were uploaded
 * - `blocks`: its list holds blocks of Sluice's, of the right size in all; whoever keeps the ids can hide other bytes
 * - `size`: its size, and its Content-MD5 where it has one, which anybody may set
 */
export const PROOFS = ['etag', 'bytes', 'blocks', 'size'] as const;
/** One of {@link PROOFS}. */
export type Proof = (typeof PROOFS)[number];

/** What the record of a done file says. */
export interface Wanted {
  readonly filename: string;
  /** Bytes. */
  readonly size: number;
  /** Without quotes; missing where the record has none. */
  readonly etag?: string;
  /** Hex. */
  readonly md5: string | null;
  /** The tier that was asked for when it was stored; missing where none was. */
  readonly tier?: string;
}

/** Compares what a look at a blob shows, without its block list. */
export function compare(wanted: Wanted, found: BlobFacts | null): Difference | null {
  const { filename } = wanted;
  if (found === null) return { filename, what: 'missing', detail: 'there is no blob of this name' };
  if (found.size !== wanted.size)
    return changed(wanted, `it has ${found.size} bytes instead of ${wanted.size}`);
  if (wanted.etag !== undefined && found.etag !== wanted.etag)
    return changed(
      wanted,
      `somebody has written it since it was verified, its content or its metadata: its ETag is ${found.etag} instead of ${wanted.etag}`,
    );
  return compareTier(wanted, found);
}

function compareTier({ filename, tier }: Wanted, found: BlobFacts): Difference | null {
  // nobody chose one: then the account's own, whichever that is, is right
  const fits =
    tier === undefined
      ? found.tierInferred || found.tier === null || found.tier === 'Hot'
      : found.tier === tier;
  if (fits) return null;
  const asked = tier === undefined ? 'no tier was asked for' : `${tier} was asked for`;
  return { filename, what: 'tier', detail: `it is in ${found.tier}, ${asked}` };
}

/** Compares a block list, for a record without an ETag. @returns the difference, or what it proves */
export function compareBlocks(
  wanted: Wanted,
  found: BlobFacts,
  blocks: readonly ListedBlock[],
): Difference | Proof {
  if (blocks.length > 0)
    return areOurs(blocks) ? 'blocks' : changed(wanted, 'another tool has stored it, in blocks of its own');
  if (wanted.md5 !== null && found.md5 !== null && found.md5 !== wanted.md5)
    return changed(wanted, `its Content-MD5 is ${found.md5} instead of ${wanted.md5}`);
  return 'size';
}

/** Whether ids are those that Sluice makes: each its index and an MD5. */
export function areOurs(blocks: readonly ListedBlock[]): boolean {
  return blocks.every(({ id }, index) => id.length === BLOCK_ID_LENGTH && blockIndex(id) === index);
}

/** A difference in what a blob holds. */
export function changed({ filename }: Wanted, detail: string): Difference {
  return { filename, what: 'changed', detail };
}

/** The sentence for a block whose bytes are not those that its id names. @param from its first byte */
export function damagedBlock(wanted: Wanted, index: number, from: number, size: number): Difference {
  return changed(
    wanted,
    `the ${formatBytes(size)} from byte ${from} on (block ${index}) are not what was uploaded`,
  );
}
