import { blobName, blobNameFault, planOrFault, type BlockRule, type SessionRef } from '@app/shared/domain';
import { ChangedBlobName, type BlobStore } from './blob-store/blob-store.js';

/** Why a file is refused for good; `code` as its quarantine has it. */
export interface Refusal {
  readonly code: 'InvalidBlobName' | 'FileTooLarge';
  readonly why: string;
}

/** Whether the store can hold a file under its name: the URL of its blob, or why not. Asks nobody. */
export function blobUrlOf(
  store: Pick<BlobStore, 'url'>,
  session: SessionRef,
  filename: string,
): { readonly url: string } | { readonly refusal: Refusal } {
  const fault = blobNameFault(blobName(session, filename));
  if (fault !== null)
    return { refusal: { code: 'InvalidBlobName', why: `the name cannot be kept: ${fault}` } };
  try {
    return { url: store.url(session, filename) };
  } catch (error) {
    if (!(error instanceof ChangedBlobName)) throw error;
    return { refusal: { code: 'InvalidBlobName', why: error.message } };
  }
}

/** Why a file of so many bytes is refused, or null where it can be stored. */
export function sizeRefusal(size: number, rule: BlockRule): Refusal | null {
  const plan = planOrFault(size, rule);
  return typeof plan === 'string' ? { code: 'FileTooLarge', why: plan } : null;
}
