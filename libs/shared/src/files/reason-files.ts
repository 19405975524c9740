import { unlessTooLong } from '../domain/index.js';
import type { Volume } from './volume.js';

/** Where a reason may stand, see `Layout.reasons`: the first is used unless the volume finds its name too long. */
type Paths = readonly [whole: string, short: string];

/** Writes the reason beside a quarantined file. @throws VolumeError */
export async function writeReasonFile(volume: Volume, [whole, short]: Paths, text: string): Promise<void> {
  const written = await volume.writeText(whole, text).then(
    () => true,
    (error: unknown) => unlessTooLong(error, false),
  );
  if (!written) await volume.writeText(short, text);
}

/** The text at one of a reason's paths; null where none is there, or none of such a name can be. @throws VolumeError */
export async function readReasonFile(volume: Volume, path: string): Promise<string | null> {
  return volume.readText(path).catch((error: unknown) => unlessTooLong(error, null));
}

/** Removes the reason beside a file, whichever name it has: files may have come from a volume with other limits. @throws VolumeError */
export async function removeReasonFile(volume: Volume, paths: Paths): Promise<void> {
  for (const path of paths) await volume.unlink(path).catch((error: unknown) => unlessTooLong(error, false));
}
