/** What a session is to have before it is complete; null where that was not said. */
export interface Batch {
  /** How many files. */
  readonly files: number | null;
  readonly bytes: number | null;
  /** The name of the file that says that all is dropped. */
  readonly endMarker: string | null;
}

/** Of a session that expects nothing. */
export const NO_BATCH: Batch = { files: null, bytes: null, endMarker: null };

/** A start that would lower what the session expects, or give it another end marker: nothing was changed. */
export class BatchConflict {
  constructor(
    readonly what: keyof Batch,
    /** What holds. */
    readonly holds: string,
  ) {}
}

/** Reads what a hash of a session, or of the active one, says of it. */
export function readBatch(hash: {
  readonly expect_files?: string;
  readonly expect_bytes?: string;
  readonly end_marker?: string;
}): Batch {
  const number = (text: string | undefined) => (text && /^\d{1,16}$/.test(text) ? Number(text) : null);
  return {
    files: number(hash.expect_files),
    bytes: number(hash.expect_bytes),
    endMarker: hash.end_marker || null,
  };
}
