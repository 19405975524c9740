import {
  codeOf,
  Interrupted,
  messageOf,
  StagingError,
  StoreError,
  VolumeError,
  type Outcome,
} from '@app/shared/domain';
import type { BlobStore } from './blob-store/blob-store.js';
import { NamesakeStands } from './steps/claim.js';

/** How long a file waits for one that the volume takes for it; milliseconds. */
const NAMESAKE_DELAY_MS = 2_000;

/**
 * Turns whatever a step threw into an outcome. Errors that may be the store's fault or the file's are told apart by a
 * write probe: if that fails too, it is an outage.
 */
export async function judge(error: unknown, store: BlobStore): Promise<Outcome> {
  if (error instanceof Interrupted) return { kind: 'interrupted', why: error.message };
  if (error instanceof NamesakeStands)
    return { kind: 'settle', why: error.message, delayMs: NAMESAKE_DELAY_MS };
  if (error instanceof VolumeError && error.disposition === 'outage')
    return { kind: 'outage', of: 'volume', code: error.code, why: error.message };
  if (error instanceof StagingError)
    return { kind: 'outage', of: 'staging', code: error.code, why: error.message };
  if (error instanceof StoreError) return judgeStore(error, store);
  // ioredis' name for an answer that says no, as a full Redis does: no fault of a file
  if (error instanceof Error && error.name === 'ReplyError')
    return { kind: 'outage', of: 'redis', code: error.name, why: messageOf(error) };
  const code =
    error instanceof VolumeError
      ? error.code
      : error instanceof Error && error.name !== 'Error'
        ? error.name
        : (codeOf(error) ?? 'Error');
  if (code === 'ForeignBlocks') return { kind: 'quarantine', code, why: messageOf(error) };
  return { kind: 'retry', code, why: messageOf(error) };
}

async function judgeStore(error: StoreError, store: BlobStore): Promise<Outcome> {
  const { code, message: why } = error;
  switch (error.disposition) {
    case 'outage':
      return { kind: 'outage', of: 'store', code, why };
    case 'quarantine':
      return { kind: 'quarantine', code, why };
    case 'retry':
      return { kind: 'retry', code, why };
    case 'probe':
      return store.probe().then(
        () => ({ kind: 'retry', code, why }) as const,
        () => ({ kind: 'outage', of: 'store', code, why }) as const,
      );
  }
}
