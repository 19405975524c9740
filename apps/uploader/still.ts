import type { FileStep } from '@app/shared/domain';

/** A file on which nothing moved for so long is said; milliseconds. */
export const STILL_MS = 30_000;

/** A file in hand, and for how long nothing has moved on it. */
export interface StillFile {
  readonly filename: string;
  readonly step: FileStep;
  readonly ms: number;
}

/**
 * What is said of files on which nothing moved for {@link STILL_MS}, with whom they wait for.
 *
 * @param storeIsSilent whether a connection to the store ended lately since nothing moved on it: over a slow link a block
 * may take longer than that, and every byte of it moves
 */
export function stillProblems(files: readonly StillFile[], storeIsSilent: boolean): string[] {
  const still = files.filter(({ ms }) => ms >= STILL_MS);
  const ofStore = still.filter(({ step }) => step === 'uploading' || step === 'verifying');
  const ofVolume = still.filter((file) => !ofStore.includes(file));
  return [
    ...(storeIsSilent ? sentence(ofStore, 'the store') : []),
    ...sentence(ofVolume, 'the shared volume'),
  ];
}

function sentence(files: readonly StillFile[], whom: string): string[] {
  const longest = [...files].sort((a, b) => b.ms - a.ms)[0];
  if (!longest) return [];
  const count = files.length === 1 ? '1 file waits' : `${files.length} files wait`;
  return [
    `no byte has moved for ${Math.floor(longest.ms / 1000)} s: ${count} for ${whom}, the first is ${JSON.stringify(longest.filename)} (${longest.step})`,
  ];
}
