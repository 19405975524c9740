import { NO_LABELS, type Labels } from '@app/shared/config';

/** Before the first blob of any service. */
const BEFORE_ALL_BLOBS = new Date('2000-01-01T00:00:00Z');

/** What a blob carries beside its bytes. */
export interface BlobLabels extends Labels {
  readonly contentType: string;
  /** The whole file's MD5 as Content-MD5; null: none. */
  readonly md5: Uint8Array | null;
}

/** What a blob carries for which nobody has chosen anything. */
export const PLAIN_LABELS: BlobLabels = {
  ...NO_LABELS,
  contentType: 'application/octet-stream',
  md5: null,
};

/**
 * A write happens only while this holds: nothing is there, or exactly what was read. `neverCommitted` says the same as
 * `absent` in other words: Azurite 3.35 refuses Put Blob with `If-None-Match: *` also where only uncommitted blocks lie.
 */
export type WriteCondition =
  { readonly absent: true } | { readonly neverCommitted: true } | { readonly etag: string };

/** What came of a conditional write: not written means that the condition did not hold. */
export type WriteResult =
  | { readonly written: true; readonly etag: string; readonly md5: Uint8Array | null }
  | { readonly written: false };

/** What the SDK wants to know of a write. */
export function writeOptions(labels: BlobLabels, condition: WriteCondition) {
  return {
    conditions: conditionsOf(condition),
    metadata: { ...labels.metadata },
    // an empty header would be refused
    ...(Object.keys(labels.tags).length > 0 ? { tags: { ...labels.tags } } : {}),
    ...(labels.tier === null ? {} : { tier: labels.tier }),
    ...(labels.encryptionScope === null ? {} : { encryptionScope: labels.encryptionScope }),
    blobHTTPHeaders: {
      blobContentType: labels.contentType,
      ...(labels.md5 ? { blobContentMD5: labels.md5 } : {}),
    },
  };
}

function conditionsOf(condition: WriteCondition) {
  if ('etag' in condition) return { ifMatch: condition.etag };
  return 'absent' in condition ? { ifNoneMatch: '*' } : { ifUnmodifiedSince: BEFORE_ALL_BLOBS };
}
