import { claimKey, sameBlocks, StoreError, type FileLook } from '@app/shared/domain';
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
  else {
    const there = await tools.store.read(run.blob, run.signal);
    if (there.etag === null) throw notVerified('nothing is committed');
    if (there.size !== staged.plan.size)
      throw notVerified(`it has ${there.size} bytes instead of ${staged.plan.size}`);
    if (!sameBlocks(there.committed, uploaded.blocks)) throw notVerified('its block list is another one');
    etag = there.etag;
  }
  return {
    source: staged.look,
    claim: claimKey(run.blob, staged.look),
    url: tools.store.url(run.session, run.filename),
    md5: staged.md5?.toString('hex') ?? null,
    etag: etag || null,
  } as VerifiedBlob;
}

function verifySingle({ wantedMd5, provedMd5 }: UploadedBlob): void {
  if (!wantedMd5) throw notVerified('no checksum was taken');
  if (!provedMd5 || Buffer.compare(provedMd5, wantedMd5) !== 0)
    throw notVerified('the answer to its put names another MD5, or none');
}

function notVerified(why: string): StoreError {
  return new StoreError('NotVerified', 'retry', `the blob could not be verified: ${why}`);
}
