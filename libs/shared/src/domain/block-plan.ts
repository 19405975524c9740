/** Azure's ceiling of committed blocks a blob: https://learn.microsoft.com/azure/storage/blobs/scalability-targets */
export const BLOCKS_MAX = 50_000;
const MIB = 1024 * 1024;
const DIGEST_BYTES = 16;

/** The settings that a plan is made from, bytes each. */
export interface BlockRule {
  readonly maxBlockSize: number;
  readonly maxSinglePutSize: number;
  /** Ceiling of all block buffers of one uploader; no block may pass it. */
  readonly blockMemory: number;
}

/** How a file of one size goes up. */
export type UploadPlan =
  | { readonly kind: 'single'; readonly size: number }
  | { readonly kind: 'blocks'; readonly size: number; readonly blockSize: number; readonly count: number };

/** A file whose blocks would have to be larger than the memory that is there for them. */
export class FileTooLarge extends Error {
  override readonly name = 'FileTooLarge';
}

/**
 * Plans the upload of `size` bytes: one Put Blob where it fits, else blocks of the configured size, which grow (in
 * whole MiB) where the file would need over 50,000 of them.
 *
 * @throws FileTooLarge where a grown block would pass `blockMemory`.
 */
export function planUpload(size: number, rule: BlockRule): UploadPlan {
  if (size <= rule.maxSinglePutSize) return { kind: 'single', size };
  const least = Math.ceil(size / BLOCKS_MAX);
  const blockSize = least <= rule.maxBlockSize ? rule.maxBlockSize : Math.ceil(least / MIB) * MIB;
  if (blockSize > rule.blockMemory)
    throw new FileTooLarge(
      `${size} bytes need blocks of ${blockSize} bytes, over APP_BLOCK_MEMORY (${rule.blockMemory}); raise it to at least that`,
    );
  return { kind: 'blocks', size, blockSize, count: Math.ceil(size / blockSize) };
}

/** The same, with the sentence of {@link FileTooLarge} in place of the error. */
export function planOrFault(size: number, rule: BlockRule): UploadPlan | string {
  try {
    return planUpload(size, rule);
  } catch (error) {
    if (error instanceof FileTooLarge) return error.message;
    throw error;
  }
}

/** Bytes of block `index` in a plan; the last one holds the rest. */
export function blockLength(plan: Extract<UploadPlan, { kind: 'blocks' }>, index: number): number {
  return Math.min(plan.blockSize, plan.size - index * plan.blockSize);
}

/**
 * A block's id: base64 of its 4-byte big-endian index and the 16-byte MD5 of its bytes. All ids have one length, and
 * the committed list of ids proves the whole content.
 */
export function blockId(index: number, md5: Uint8Array): string {
  if (md5.length !== DIGEST_BYTES)
    throw new RangeError(`an MD5 has ${DIGEST_BYTES} bytes, not ${md5.length}`);
  const id = Buffer.alloc(4 + DIGEST_BYTES);
  id.writeUInt32BE(index, 0);
  id.set(md5, 4);
  return id.toString('base64');
}

/** The index in an id that {@link blockId} made. */
export function blockIndex(id: string): number {
  return Buffer.from(id, 'base64').readUInt32BE(0);
}

/** The MD5 in an id that {@link blockId} made; hex. */
export function blockMd5(id: string): string {
  return Buffer.from(id, 'base64').toString('hex', 4);
}

/** Characters in every id that {@link blockId} makes; ids of another length are another tool's. */
export const BLOCK_ID_LENGTH = blockId(0, new Uint8Array(DIGEST_BYTES)).length;

/** A block as a list of the store shows it. */
export interface ListedBlock {
  readonly id: string;
  /** Bytes. */
  readonly size: number;
}

/** The committed list that a plan with these digests must have, in order. `md5s` holds 16 bytes a block. */
export function plannedBlocks(
  plan: Extract<UploadPlan, { kind: 'blocks' }>,
  md5s: Uint8Array,
): ListedBlock[] {
  return Array.from({ length: plan.count }, (_, index) => ({
    id: blockId(index, md5s.subarray(index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES)),
    size: blockLength(plan, index),
  }));
}

/** Whether two lists hold the same blocks in the same order. */
export function sameBlocks(a: readonly ListedBlock[], b: readonly ListedBlock[]): boolean {
  return (
    a.length === b.length &&
    a.every((block, index) => block.id === b[index]?.id && block.size === b[index]?.size)
  );
}
