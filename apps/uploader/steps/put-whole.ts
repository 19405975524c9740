import { createHash } from 'node:crypto';
import { contentType } from 'mime-types';
import { blockLength, formatTimeNs, StoreError, type ListedBlock } from '@app/shared/domain';
import type { StagedFile } from '@app/shared/files';
import type { BlobLabels, WriteCondition } from '../blob-store/writes.js';
import { requireOwnership, type Run, type Tools } from '../run.js';

/** A blob that was written, or found to be this very file already; not verified yet. */
export interface UploadedBlob {
  readonly staged: StagedFile;
  /** The blocks that its list must have; null for a single put. */
  readonly blocks: readonly ListedBlock[] | null;
  /** For a single put, the MD5 of the bytes that were read from the volume; null for blocks. */
  readonly wantedMd5: Uint8Array | null;
  /**
   * For a single put, the MD5 in the service's answer to that very request, or of the bytes read back from a blob that
   * may not be overwritten. Never the Content-MD5 that a blob carries: anybody may have set that.
   */
  readonly provedMd5: Uint8Array | null;
  /** The ETag in the service's answer to the commit; null where no such answer came. */
  readonly committedAs: string | null;
}

/** The service's refusals to overwrite a blob that a policy or a legal hold protects. */
const IMMUTABLE: ReadonlySet<string> = new Set(['BlobImmutableDueToPolicy', 'BlobImmutableDueToLegalHold']);
/** An answer without an MD5: equals none, so that verify fails closed. */
const NO_MD5 = new Uint8Array(0);

/** Whether the service refused because a policy or a legal hold protects the blob that is there. */
export function isImmutable(error: unknown): boolean {
  return error instanceof StoreError && IMMUTABLE.has(error.code);
}

/**
 * One Put Blob, also of a file that is planned in blocks: its bytes must fit into the memory for blocks. Safe to repeat.
 *
 * @returns null where the condition did not hold
 */
export async function putWhole(run: Run, staged: StagedFile, tools: Tools): Promise<UploadedBlob | null> {
  const wantedMd5 = await wholeMd5(run, staged, tools);
  try {
    const sent = await sendWhole(run, staged, wantedMd5, tools);
    if (!sent) return null;
    run.progress(staged.plan.size, staged.plan.size);
    return { staged, blocks: null, wantedMd5, provedMd5: sent.md5, committedAs: sent.etag };
  } catch (error) {
    const found = isImmutable(error) ? await findSinglePut(run, staged, tools) : null;
    if (!found) throw error;
    return found;
  }
}

/**
 * Looks whether one Put Blob stored this very file already, by its bytes read back; for a blob that may not be
 * overwritten. @returns null where it did not
 */
export async function findSinglePut(
  run: Run,
  staged: StagedFile,
  tools: Tools,
): Promise<UploadedBlob | null> {
  const found = await tools.store.md5OfSinglePut(run.blob, staged.plan.size, run.signal);
  if (!found) return null;
  const wantedMd5 = await wholeMd5(run, staged, tools);
  if (Buffer.compare(found, wantedMd5) !== 0) return null;
  run.note('the store holds this very file already, and does not let it be overwritten');
  return { staged, blocks: null, wantedMd5, provedMd5: found, committedAs: null };
}

/**
 * Puts under "nothing is there", else over the very blob that was read. What is there is never taken for this file by
 * its size and Content-MD5, also not after a lost answer to our own put: that MD5 is a label. Only where the store
 * refuses to overwrite it are its bytes read back.
 *
 * @returns the MD5 and the ETag that the service answered; null where the condition did not hold
 */
async function sendWhole(
  run: Run,
  staged: StagedFile,
  md5: Uint8Array,
  tools: Tools,
): Promise<{ md5: Uint8Array; etag: string } | null> {
  const { size } = staged.plan;
  const lent = staged.bytes ? null : await tools.memory.lend(size, run.signal);
  try {
    if (lent) await staged.read(lent.buffer, 0, size);
    const bytes = lent?.buffer ?? staged.bytes ?? Buffer.alloc(0);
    const put = (condition: WriteCondition) =>
      tools.store.putWhole(run.blob, bytes, md5, labelsOf(run, staged, tools), condition, run.signal);
    const first = await put({ absent: true });
    if (first.written) return { md5: first.md5 ?? NO_MD5, etag: first.etag };
    const there = await tools.store.properties(run.blob, run.signal);
    if (there) await requireOwnership(run);
    const second = await put(there ? { etag: there.etag } : { neverCommitted: true });
    return second.written ? { md5: second.md5 ?? NO_MD5, etag: second.etag } : null;
  } finally {
    lent?.release();
  }
}

/** The whole file's MD5. Where it was not taken on the way, of the staged bytes, once each block has proved to be what was read. */
async function wholeMd5(run: Run, staged: StagedFile, { memory }: Tools): Promise<Uint8Array> {
  const { plan, md5, blockMd5s } = staged;
  if (md5) return md5;
  if (plan.kind === 'single')
    throw new StoreError('NoChecksum', 'retry', 'a single put needs the MD5 from staging');
  const whole = createHash('md5');
  const lent = await memory.lend(plan.blockSize, run.signal);
  try {
    for (let index = 0; index < plan.count; index++) {
      const bytes = lent.buffer.subarray(0, blockLength(plan, index));
      await staged.read(bytes, index * plan.blockSize, bytes.length);
      const wanted = blockMd5s.subarray(index * 16, index * 16 + 16);
      if (!createHash('md5').update(bytes).digest().equals(wanted))
        throw new StoreError('Md5Mismatch', 'retry', `block ${index} of the staged file is damaged`);
      whole.update(bytes);
    }
  } finally {
    lent.release();
  }
  return whole.digest();
}

/** What a file's blob carries beside its bytes. */
export function labelsOf(run: Run, staged: StagedFile, tools: Tools): BlobLabels {
  const mtime = formatTimeNs(staged.look.mtimeNs);
  return {
    ...run.labels,
    contentType:
      contentType(run.filename.slice(run.filename.lastIndexOf('.') + 1)) || 'application/octet-stream',
    // of blocks it is taken only where somebody wants it; of a single put the service notes it itself
    md5: tools.rules.contentMd5 || staged.plan.kind !== 'single' ? staged.md5 : null,
    // the key and form in which rclone keeps it too: https://rclone.org/azureblob/#modification-times
    metadata: {
      ...run.labels.metadata,
      ...(mtime === null ? {} : { mtime }),
      size: String(staged.plan.size),
      ...(staged.sha256 ? { sha256: staged.sha256.toString('hex') } : {}),
    },
  };
}
