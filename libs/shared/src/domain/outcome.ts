/** What a moved file left behind, for its record and the manifest. */
export interface DoneFacts {
  readonly blobUrl: string;
  /** Bytes. */
  readonly size: number;
  /** The whole file's MD5, 32 hex digits; null where `APP_CONTENT_MD5` is false and it went in blocks. */
  readonly md5: string | null;
  /** Milliseconds since 1970. */
  readonly mtimeMs: number;
  /** The blob's ETag once it was verified; null where the store did not say. */
  readonly etag?: string | null;
  /** The whole file's SHA-256, 64 hex digits, where its producer's checksum asked for it. */
  readonly sha256?: string | null;
  /** The access tier that was asked for; null where none was. */
  readonly tier?: string | null;
}

/**
 * What became of one run of one file. A value, never an exception: only the processor turns it into queue behaviour.
 *
 * - `done`: verified, receipt written, source gone.
 * - `retry`: a fault of this file; the attempt counts.
 * - `outage`: store, volume, staging or Redis is not there, the store refuses the labels that its blob should carry, or the
 *   source of a stored file cannot be removed; waits, nothing counts.
 * - `settle`: the file changed; waits until it rests, nothing counts.
 * - `quarantine`: moved to `<failed>`; counts as an error once.
 * - `skipped`: a benign race or nothing left to do; neither a success nor an error.
 * - `interrupted`: handed back because of a shutdown or a lost lock; nothing counts.
 */
export type Outcome =
  | { readonly kind: 'done'; readonly facts: DoneFacts }
  | { readonly kind: 'retry'; readonly code: string; readonly why: string }
  | {
      readonly kind: 'outage';
      readonly of: 'store' | 'volume' | 'staging' | 'redis' | 'replicas' | 'source' | 'labels';
      readonly code: string;
      readonly why: string;
      readonly delayMs?: number;
    }
  | { readonly kind: 'settle'; readonly why: string; readonly delayMs: number }
  | { readonly kind: 'quarantine'; readonly code: string; readonly why: string }
  | { readonly kind: 'skipped'; readonly why: string }
  | { readonly kind: 'interrupted'; readonly why: string };
