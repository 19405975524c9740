import { claimKey, sameBlocks, StoreError, type FileLook, type ListedBlock } from '@app/shared/domain';
import type { Run, Tools } from '../run.js';
import type { UploadedBlob } from './put-whole.js';

declare const proof: unique symbol;

/** A blob that holds exactly the bytes that were read from the volume. Only {@link verify} makes one. */
export interface VerifiedBlob {
  readonly [proof]: true;
  /** The source as it was read. */
  readonly source: FileLook;
  /** The key of the claim that the receipt is for. */
  readonly claim: string;
  readonly url: string;
  /** Hex, or null where none was taken. */
  readonly md5: string | null;
  /** The ETag of what was verified; null where the store did not say. */
  readonly etag: string | null;
  /** Hex, or null where none was taken. */
  readonly sha256: string | null;
}

/**
 * Proves that the store holds the bytes that were read. For blocks: the committed list, read back, has exactly the
 * planned ids, which hold each block's MD5, and the size. For a single put: the service checked the body before it
 * committed, and its answer to that put names the MD5; a Content-MD5 that the blob carries proves nothing. Fails closed: no checksum means not verified. Safe to repeat.
 *
 * @throws StoreError `NotVerified`, counted as an attempt
 */
export async function verify(run: Run, uploaded: UploadedBlob, tools: Tools): Promise<VerifiedBlob> {
  const { staged } = uploaded;
  let etag = uploaded.committedAs;
  if (uploaded.blocks === null) verifySingle(uploaded);
  else etag = await verifyBlocks(run, uploaded, uploaded.blocks, tools);
  return {
    source: staged.look,
    claim: claimKey(run.blob, staged.look),
    url: tools.store.url(run.session, run.filename),
    md5: staged.md5?.toString('hex') ?? null,
    etag: etag || null,
    sha256: staged.sha256?.toString('hex') ?? null,
  } as VerifiedBlob;
}

/**
 * An archived blob's block list cannot be read. Then the answer to our own commit is the proof: it named the ETag of what
 * was made of exactly those blocks, and a blob that has this ETag still is what was committed.
 *
 * @returns the blob's ETag
 */
async function verifyBlocks(
  run: Run,
  { staged, committedAs }: UploadedBlob,
  blocks: readonly ListedBlock[],
  { store }: Tools,
): Promise<string> {
  const { size } = staged.plan;
  const there = await store.read(run.blob, run.signal).catch(async (error: unknown) => {
    if (!(error instanceof StoreError && error.code === 'BlobArchived') || committedAs === null) throw error;
    return { ...(await store.properties(run.blob, run.signal)), committed: null };
  });
  if (!there.etag) throw notVerified('nothing is committed');
  if (there.size !== size) throw notVerified(`it has ${there.size} bytes instead of ${size}`);
  if (there.committed === null) {
    if (there.etag !== committedAs) throw notVerified('it is archived, and not what was committed');
  } else if (!sameBlocks(there.committed, blocks)) throw notVerified('its block list is another one');
  return there.etag;
}

function verifySingle({ wantedMd5, provedMd5 }: UploadedBlob): void {
  if (!wantedMd5) throw notVerified('no checksum was taken');
  if (!provedMd5 || Buffer.compare(provedMd5, wantedMd5) !== 0)
    throw notVerified('the answer to its put names another MD5, or none');
}

function notVerified(why: string): StoreError {
  return new StoreError('NotVerified', 'retry', `the blob could not be verified: ${why}`);
}
