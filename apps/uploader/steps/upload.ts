import {
  BLOCK_ID_LENGTH,
  blockLength,
  Interrupted,
  plannedBlocks,
  sameBlocks,
  StoreError,
  type ListedBlock,
  type UploadPlan,
} from '@app/shared/domain';
import type { StagedFile } from '@app/shared/files';
import { sharedSignal, type StoredBlob } from '../blob-store/blob-store.js';
import type { WriteCondition } from '../blob-store/writes.js';
import { requireOwnership, type Run, type Tools } from '../run.js';
import { findSinglePut, isImmutable, labelsOf, putWhole, type UploadedBlob } from './put-whole.js';

/** Blocks of another tool lie uncommitted under the name, and cannot be cleared without harm. */
export class ForeignBlocks extends Error {
  override readonly name = 'ForeignBlocks';
}

/** How often a run begins anew because somebody else wrote the same name meanwhile. */
const CONFLICTS_MAX = 4;
/** What one write to a socket may hold, bytes; within Azure's ceiling of a Put Blob (5000 MiB). */
const PUT_MAX = 2 ** 31 - 1;
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
    if (there.uncommitted.some((block) => block.id.length !== BLOCK_ID_LENGTH)) {
      const fits = plan.size <= Math.min(tools.rules.blocks.blockMemory, PUT_MAX);
      if (!(await clearForeign(run, there, fits, tools))) {
        if (!fits) throw foreignBlocks(run, plan.size);
        // clears them, too, and leaves nothing but the real content
        run.note('uncommitted blocks of another tool are here: the whole file is put over them at once');
        return putWhole(run, staged, tools);
      }
      there = await store.read(run.blob, run.signal);
    }
    await sendMissing(run, staged, plan, blocks, there.uncommitted, tools);
  }

  const condition: WriteCondition = there.etag === null ? { absent: true } : { etag: there.etag };
  if (there.etag !== null) await requireOwnership(run);
  try {
    const ids = blocks.map((block) => block.id);
    const result = await store.commit(run.blob, ids, labelsOf(run, staged, tools), condition, run.signal);
    return result.written
      ? { staged, blocks, wantedMd5: null, provedMd5: null, committedAs: result.etag }
      : null;
  } catch (error) {
    // another commit under this name, or seven days, took our uncommitted blocks
    if (error instanceof StoreError && error.code === 'InvalidBlockList') return null;
    if (!isImmutable(error)) throw error;
    // so is our own commit, or our own put over foreign blocks, refused once it was done and its answer was lost
    if (sameBlocks((await store.read(run.blob, run.signal)).committed, blocks))
      return { staged, blocks, wantedMd5: null, provedMd5: null, committedAs: null };
    const found = await findSinglePut(run, staged, tools);
    if (!found) throw error;
    return found;
  }
}

/**
 * Clears blocks of another tool for the blocks of this file. Not where the container is immutable or may be: what is
 * committed for it could never be deleted, and would take the name.
 *
 * @returns whether they are cleared
 */
async function clearForeign(run: Run, there: StoredBlob, fits: boolean, { store }: Tools): Promise<boolean> {
  const immutable = await store.mayBeImmutable(run.signal).catch((error: unknown) => {
    // where one put helps as well, that put shows whether the store is away
    if (fits && error instanceof StoreError) return true;
    throw error;
  });
  if (immutable) return false;
  run.note('clearing uncommitted blocks of another tool');
  return store.clearForeignBlocks(run.blob, there, run.signal);
}

function foreignBlocks(run: Run, size: number): ForeignBlocks {
  const raise = size <= PUT_MAX ? `, or raise APP_BLOCK_MEMORY to at least ${size}` : '';
  return new ForeignBlocks(
    `another tool left uncommitted blocks under ${run.blob}; they cannot be cleared without harm (the container is or may be immutable, or another blob is there), and ${size} bytes are too many for one put over them; let that tool finish, or wait until they expire (7 days)${raise}; then retry`,
  );
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
        const id = blocks[index]?.id ?? '';
        await tools.store.putBlock(run.blob, id, bytes, md5, signal, run.labels.encryptionScope);
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
