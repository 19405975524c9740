/** What to do about failures of these codes; the runbook's table of codes (docs/operate.md) has the same rows and sentences. */
interface Remedy {
  readonly codes: readonly string[];
  /** Part of other codes that this holds for. */
  readonly alsoWith?: string;
  readonly hint: string;
}

/** The remedies, in the order of the runbook. A code without one has {@link OTHERWISE}. */
export const REMEDIES: readonly Remedy[] = [
  {
    codes: ['InvalidBlobName'],
    hint: 'Have it dropped again under another name that Azure can hold, and remove this one.',
  },
  {
    codes: ['FileTooLarge'],
    hint: 'Raise APP_BLOCK_MEMORY where the file is no larger than a blob may be, then retry.',
  },
  {
    codes: ['ForeignBlocks'],
    hint: "Let the tool that left uncommitted blocks finish, or raise APP_BLOCK_MEMORY to the file's size; then retry.",
  },
  {
    codes: ['LeaseIdMissing', 'LeaseAlreadyPresent'],
    alsoWith: 'Lease',
    hint: 'Have the lease on the blob released, then retry.',
  },
  {
    codes: ['BlobImmutableDueToPolicy', 'BlobImmutableDueToLegalHold'],
    hint: 'Drop the file again in another session, and remove this one.',
  },
  {
    codes: ['BlobArchived', 'BlobBeingRehydrated'],
    hint: 'Rehydrate or delete the archived blob, then retry.',
  },
  {
    codes: ['ResourceTypeMismatch', 'PathConflict'],
    hint: 'Drop it again under a name that is no folder of the container, and whose folders are no blobs, and remove this one.',
  },
  {
    codes: ['ChecksumMismatch'],
    hint: 'Have the file or its checksum dropped anew by its producer, in the place of what is wrong in the quarantine, then retry.',
  },
  {
    codes: ['ChecksumUnreadable'],
    hint: 'Correct the checksum beside the file in the quarantine, or drop a new one, then retry.',
  },
  { codes: ['NotAPlainFile'], hint: 'Look at what stands under its name in .processing, and remove it.' },
  { codes: ['KillsWorker'], hint: 'Look why its uploader died (memory limit?) before a retry.' },
  {
    codes: ['EACCES', 'EPERM'],
    hint: "Correct the file's owner or mode so that Sluice's user may read it, then retry.",
  },
  { codes: ['WriteConflict'], hint: 'Find what else writes this blob and stop it, then retry.' },
];

/** What to do about any other failure. */
export const OTHERWISE =
  "Look at the job's log in Bull Board, which has each step and each attempt; remove the cause, then retry.";

/** One sentence that says what to do about a file that failed with this code. */
export function hintOf(code: string | null): string {
  const remedy =
    REMEDIES.find(({ codes }) => codes.includes(code ?? '')) ??
    REMEDIES.find(({ alsoWith }) => alsoWith !== undefined && code?.includes(alsoWith));
  return remedy?.hint ?? OTHERWISE;
}
