import { contentType } from 'mime-types';
import {
  BLOCK_ID_LENGTH,
  blockLength,
  formatTimeNs,
  Interrupted,
  plannedBlocks,
  sameBlocks,
  StoreError,
  type ListedBlock,
  type UploadPlan,
} from '@app/shared/domain';
import type { StagedFile } from '@app/shared/files';
import {
  sharedSignal,
  type BlobLabels,
  type BlobStore,
  type StoredBlob,
  type WriteCondition,
  type WriteResult,
} from '../blob-store/blob-store.js';
import { requireOwnership, type Run, type Tools } from '../run.js';

/** A blob that was written, or found to be this very file already; not verified yet. */
export interface UploadedBlob {
  readonly staged: StagedFile;
  /** The blocks that its list must have; null for a single put. */
  readonly blocks: readonly ListedBlock[] | null;
  /**
   * For a single put, the MD5 in the service's answer to that very request, or of the bytes read back from a blob that
   * may not be overwritten. Never the Content-MD5 that a blob carries: anybody may have set that.
   */
  readonly provedMd5: Uint8Array | null;
}

/** Blocks of another tool lie uncommitted under the name, and cannot be cleared without harm to the blob there. */
export class ForeignBlocks extends Error {
  override readonly name = 'ForeignBlocks';
}

/** How often a run begins anew because somebody else wrote the same name meanwhile. */
const CONFLICTS_MAX = 4;
/** The service's refusals to overwrite a blob that a policy or a legal hold protects. */
const IMMUTABLE: ReadonlySet<string> = new Set(['BlobImmutableDueToPolicy', 'BlobImmutableDueToLegalHold']);
/** An answer without an MD5: equals none, so that verify fails closed. */
const NO_MD5 = new Uint8Array(0);
type BlockPlan = Extract<UploadPlan, { kind: 'blocks' }>;

/**
 * Brings the staged bytes into the store. Every write is conditional: nothing there, or exactly the blob that was read
 * after the job's lock was checked again, so that a worker that slept never overwrites a newer blob. Safe to repeat:
 * blocks and blobs that are there already are not sent again.
 *
 * @throws StoreError, StagingError, ForeignBlocks, Interrupted
 */
export async function upload(run: Run, staged: StagedFile, tools: Tools): Promise<UploadedBlob> {
  for (let conflicts = 0; conflicts < CONFLICTS_MAX; conflicts++) {
    const uploaded =
      staged.plan.kind === 'single'
        ? await putWhole(run, staged, tools)
        : await putBlocks(run, staged, staged.plan, tools);
    if (uploaded) return uploaded;
    run.note('another writer was there in the meantime; beginning anew');
    await requireOwnership(run);
  }
  throw new StoreError('WriteConflict', 'retry', `another writer kept changing ${run.blob}`);
}

/** One Put Blob. @returns null where the condition did not hold. */
async function putWhole(run: Run, staged: StagedFile, tools: Tools): Promise<UploadedBlob | null> {
  const { store } = tools;
  const md5 = staged.md5;
  if (!md5) throw new StoreError('NoChecksum', 'retry', 'a single put needs the MD5 from staging');
  const lent = staged.bytes ? null : await tools.memory.lend(staged.plan.size, run.signal);
  try {
    if (lent) await staged.read(lent.buffer, 0, staged.plan.size);
    const bytes = lent?.buffer ?? staged.bytes ?? Buffer.alloc(0);
    const put = (condition: WriteCondition) =>
      store.putWhole(run.blob, bytes, md5, labelsOf(run, staged, tools), condition, run.signal);
    const provedMd5 = await putOrFind(run, staged.plan.size, md5, put, store);
    if (!provedMd5) return null;
    run.progress(staged.plan.size, staged.plan.size);
    return { staged, blocks: null, provedMd5 };
  } finally {
    lent?.release();
  }
}

/**
 * Puts under "nothing is there", else over the very blob that was read. What is there is never taken for this file by
 * its size and Content-MD5, also not after a lost answer to our own put: that MD5 is a label. Only where the store
 * refuses to overwrite it are its bytes read back.
 *
 * @returns the MD5 that the service answered, or that was read back; null where the condition did not hold
 */
async function putOrFind(
  run: Run,
  size: number,
  md5: Uint8Array,
  put: (condition: WriteCondition) => Promise<WriteResult>,
  store: BlobStore,
): Promise<Uint8Array | null> {
  try {
    const first = await put({ absent: true });
    if (first.written) return first.md5 ?? NO_MD5;
    const there = await store.properties(run.blob, run.signal);
    if (!there) return null;
    await requireOwnership(run);
    const second = await put({ etag: there.etag });
    return second.written ? (second.md5 ?? NO_MD5) : null;
  } catch (error) {
    if (!isImmutable(error)) throw error;
    const found = await store.md5OfSinglePut(run.blob, size, run.signal);
    if (!found || Buffer.compare(found, md5) !== 0) throw error;
    run.note('the store holds this very file already, and does not let it be overwritten');
    return found;
  }
}

function isImmutable(error: unknown): boolean {
  return error instanceof StoreError && IMMUTABLE.has(error.code);
}

/** Put Block in parallel for what is missing, then Put Block List. @returns null where the condition did not hold. */
async function putBlocks(
  run: Run,
  staged: StagedFile,
  plan: BlockPlan,
  tools: Tools,
): Promise<UploadedBlob | null> {
  const { store } = tools;
  const blocks = plannedBlocks(plan, staged.blockMd5s);
  let there = await store.read(run.blob, run.signal);
  if (there.etag !== null && sameBlocks(there.committed, blocks)) {
    // no block is sent, but the list is committed again: the ETag must move, or a run that sleeps with an older content and
    // this ETag in hand would overwrite this one when it wakes
    run.note('the store holds this very file already');
    run.progress(plan.size, plan.size);
  } else {
    if (there.uncommitted.some((block) => block.id.length !== BLOCK_ID_LENGTH))
      there = await clearForeign(run, there, tools);
    await sendMissing(run, staged, plan, blocks, there.uncommitted, tools);
  }

  const condition: WriteCondition = there.etag === null ? { absent: true } : { etag: there.etag };
  if (there.etag !== null) await requireOwnership(run);
  try {
    const ids = blocks.map((block) => block.id);
    const result = await store.commit(run.blob, ids, labelsOf(run, staged, tools), condition, run.signal);
    return result.written ? { staged, blocks, provedMd5: null } : null;
  } catch (error) {
    // another commit under this name, or seven days, took our uncommitted blocks
    if (error instanceof StoreError && error.code === 'InvalidBlockList') return null;
    // so is our own commit refused once it was done and its answer was lost
    if (isImmutable(error) && sameBlocks((await store.read(run.blob, run.signal)).committed, blocks))
      return { staged, blocks, provedMd5: null };
    throw error;
  }
}

async function clearForeign(run: Run, there: StoredBlob, tools: Tools): Promise<StoredBlob> {
  run.note('clearing uncommitted blocks of another tool');
  if (!(await tools.store.clearForeignBlocks(run.blob, there, run.signal)))
    throw new ForeignBlocks(
      `another tool left uncommitted blocks under ${run.blob}, and clearing them would harm the blob there; wait until they expire (7 days) or delete the blob, then retry`,
    );
  return tools.store.read(run.blob, run.signal);
}

/** Sends the blocks that the store does not hold, a few at a time; the first error stops the others. */
async function sendMissing(
  run: Run,
  staged: StagedFile,
  plan: BlockPlan,
  blocks: readonly ListedBlock[],
  uncommitted: readonly ListedBlock[],
  tools: Tools,
): Promise<void> {
  const held = new Map(uncommitted.map((block) => [block.id, block.size]));
  const missing = blocks
    .map((_, index) => index)
    .filter((index) => held.get(blocks[index]?.id ?? '') !== blocks[index]?.size);
  let sent = plan.size - missing.reduce((sum, index) => sum + blockLength(plan, index), 0);
  if (sent > 0)
    run.note(`the store holds ${blocks.length - missing.length} of ${blocks.length} blocks already`);
  run.progress(sent, plan.size);

  const stop = new AbortController();
  const signal = sharedSignal(AbortSignal.any([run.signal, stop.signal]));
  let next = 0;
  const sender = async (): Promise<void> => {
    while (next < missing.length) {
      const index = missing[next++] ?? 0;
      const length = blockLength(plan, index);
      const lent = await tools.memory.lend(plan.blockSize, signal);
      try {
        const bytes = lent.buffer.subarray(0, length);
        await staged.read(bytes, index * plan.blockSize, length);
        const md5 = staged.blockMd5s.subarray(index * 16, index * 16 + 16);
        await tools.store.putBlock(run.blob, blocks[index]?.id ?? '', bytes, md5, signal);
      } finally {
        lent.release();
      }
      sent += length;
      run.progress(sent, plan.size);
    }
  };
  const senders = Array.from({ length: Math.min(tools.rules.maxConcurrency, missing.length) }, () =>
    sender().catch((error: unknown) => {
      stop.abort();
      throw error;
    }),
  );
  const results = await Promise.allSettled(senders);
  // those that were stopped say so too; the one that stopped them comes first
  const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as Error] : []));
  const cause = errors.find((error) => !(error instanceof Interrupted)) ?? errors[0];
  if (cause !== undefined) throw cause;
}

function labelsOf(run: Run, staged: StagedFile, tools: Tools): BlobLabels {
  const mtime = formatTimeNs(staged.look.mtimeNs);
  return {
    contentType:
      contentType(run.filename.slice(run.filename.lastIndexOf('.') + 1)) || 'application/octet-stream',
    md5: tools.rules.contentMd5 ? staged.md5 : null,
    // the key and form in which rclone keeps it too: https://rclone.org/azureblob/#modification-times
    metadata: { ...(mtime === null ? {} : { mtime }), size: String(staged.plan.size) },
  };
}
