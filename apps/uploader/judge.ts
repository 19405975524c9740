import { hasLabels, NO_LABELS, type Labels } from '@app/shared/config';
import {
  codeOf,
  folderOf,
  Interrupted,
  messageOf,
  StagingError,
  StoreError,
  VolumeError,
  type Outcome,
} from '@app/shared/domain';
import { writeFault } from '@app/shared/files';
import { TooFewReplicas } from '@app/shared/redis';
import type { BlobStore } from './blob-store/blob-store.js';
import { LabelsRefused } from './blob-store/errors.js';
import { UnusableLabels } from './proved-labels.js';
import type { Run, Tools } from './run.js';
import { NameConflict } from './steps/claim.js';
import { NamesakeStands } from './steps/locate.js';
import { SourceStands } from './steps/remove.js';

/** How long a file waits for another one that has its place; milliseconds. */
const NAMESAKE_DELAY_MS = 2_000;

/** Errors of our own that no further attempt would mend. */
const OF_THIS_FILE: ReadonlySet<string> = new Set([
  'ForeignBlocks',
  'ChecksumMismatch',
  'ChecksumUnreadable',
]);

/**
 * Turns whatever a step threw into an outcome. Errors that may be the store's or the volume's fault or the file's are told
 * apart by a probe of our own: if that fails too, it is an outage.
 *
 * @param file whose folders are tried too
 * @param labels of the file's blob
 */
export async function judge(
  error: unknown,
  { store, volume, layout }: Pick<Tools, 'store' | 'volume' | 'layout'>,
  { session, filename }: Pick<Run, 'session' | 'filename'>,
  labels: Labels = NO_LABELS,
): Promise<Outcome> {
  if (error instanceof Interrupted) return { kind: 'interrupted', why: error.message };
  if (error instanceof NamesakeStands || error instanceof NameConflict)
    return { kind: 'settle', why: error.message, delayMs: NAMESAKE_DELAY_MS };
  if (error instanceof TooFewReplicas)
    return { kind: 'outage', of: 'replicas', code: error.name, why: error.message };
  if (error instanceof SourceStands)
    return { kind: 'outage', of: 'source', code: error.name, why: error.message };
  if (error instanceof VolumeError && error.disposition !== 'retry') {
    const outage = { kind: 'outage', of: 'volume', code: error.code, why: error.message } as const;
    if (error.disposition === 'outage') return outage;
    const folders = ['', filename].flatMap((name) => [
      layout.processingFolder(session, name),
      layout.failedFolder(session, name),
    ]);
    if (folderOf(filename) !== '') folders.push(layout.incoming(folderOf(filename)));
    const fault = await writeFault(volume, layout.roots, new Set(folders));
    if (fault !== null) return { ...outage, why: fault };
  }
  if (error instanceof StagingError)
    return { kind: 'outage', of: 'staging', code: error.code, why: error.message };
  if (error instanceof UnusableLabels)
    return { kind: 'outage', of: 'labels', code: error.name, why: error.message };
  if (error instanceof StoreError) return judgeStore(error, store, labels);
  // ioredis' name for an answer that says no, as a full Redis does: no fault of a file
  if (error instanceof Error && error.name === 'ReplyError')
    return { kind: 'outage', of: 'redis', code: error.name, why: messageOf(error) };
  const code =
    error instanceof VolumeError
      ? error.code
      : error instanceof Error && error.name !== 'Error'
        ? error.name
        : (codeOf(error) ?? 'Error');
  if (OF_THIS_FILE.has(code)) return { kind: 'quarantine', code, why: messageOf(error) };
  return { kind: 'retry', code, why: messageOf(error) };
}

async function judgeStore(error: StoreError, store: BlobStore, labels: Labels): Promise<Outcome> {
  const { code, message: why } = error;
  if (error instanceof LabelsRefused) return { kind: 'outage', of: 'labels', code, why };
  switch (error.disposition) {
    case 'outage':
      return { kind: 'outage', of: 'store', code, why };
    case 'quarantine':
      return { kind: 'quarantine', code, why };
    case 'retry':
      return { kind: 'retry', code, why };
    case 'probe':
      return store
        .probe()
        .then(() => (hasLabels(labels) ? store.proveLabels(labels) : undefined))
        .then(
          () => ({ kind: 'retry', code, why }) as const,
          (failed: unknown) =>
            failed instanceof LabelsRefused
              ? { kind: 'outage', of: 'labels', code, why: failed.message }
              : { kind: 'outage', of: 'store', code, why },
        );
  }
}
