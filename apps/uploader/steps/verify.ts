import { claimKey, sameBlocks, StoreError, type FileLook } from '@app/shared/domain';
import type { Run, Tools } from '../run.js';
import type { UploadedBlob } from './upload.js';

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
}

/**
 * Proves that the store holds the bytes that were read. For blocks: the committed list, read back, has exactly the
 * planned ids, which hold each block's MD5, and the size. For a single put: the service checked the body before it
 * committed, and its answer names the MD5. Fails closed: no checksum means not verified. Safe to repeat.
 *
 * @throws StoreError `NotVerified`, counted as an attempt
 */
export async function verify(run: Run, uploaded: UploadedBlob, tools: Tools): Promise<VerifiedBlob> {
  const { staged } = uploaded;
  if (staged.plan.kind === 'single') await verifySingle(run, uploaded, tools);
  else {
    const there = await tools.store.read(run.blob, run.signal);
    if (there.etag === null) throw notVerified('nothing is committed');
    if (there.size !== staged.plan.size)
      throw notVerified(`it has ${there.size} bytes instead of ${staged.plan.size}`);
    if (!sameBlocks(there.committed, uploaded.blocks)) throw notVerified('its block list is another one');
  }
  return {
    source: staged.look,
    claim: claimKey(run.blob, staged.look),
    url: tools.store.url(run.session, run.filename),
    md5: staged.md5?.toString('hex') ?? null,
  } as VerifiedBlob;
}

async function verifySingle(run: Run, { staged, answeredMd5 }: UploadedBlob, tools: Tools): Promise<void> {
  const wanted = staged.md5;
  if (!wanted) throw notVerified('no checksum was taken');
  if (answeredMd5 && Buffer.compare(answeredMd5, wanted) === 0) return;
  const there = await tools.store.properties(run.blob, run.signal);
  if (there?.size !== staged.plan.size)
    throw notVerified(`it has ${there?.size ?? 'no'} bytes instead of ${staged.plan.size}`);
  if (!there.md5 || Buffer.compare(there.md5, wanted) !== 0)
    throw notVerified('its MD5 is another one, or missing');
}

function notVerified(why: string): StoreError {
  return new StoreError('NotVerified', 'retry', `the blob could not be verified: ${why}`);
}
