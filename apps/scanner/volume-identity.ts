import { randomUUID } from 'node:crypto';
import { missingRoots, readVolumeId, ROOT_VARIABLES, rootsFault } from '@app/shared/files';
import { knownVolume, rememberVolume } from '@app/shared/records';
import { StartupError } from '@app/shared/runtime';
import type { ScannerParts } from './parts.js';

/** The volume is not the one that Redis knows, or not there: nothing on it may be believed. */
export class WrongVolume extends Error {
  override readonly name = 'WrongVolume';
}

/**
 * Proves the volume when this scanner takes the lead: makes missing roots and the volume's id, but only where Redis
 * knows no volume yet; otherwise a missing root means that the volume is not mounted. Safe to repeat.
 *
 * @returns the volume's id
 * @throws WrongVolume, VolumeError: try again later; StartupError where the settings are wrong
 */
export async function proveVolume(parts: ScannerParts): Promise<string> {
  const { volume, layout, redis, prefix } = parts;
  const known = await knownVolume(redis, prefix);
  const missing = await missingRoots(volume, layout.roots);
  if (missing.length > 0 && known !== null)
    throw new WrongVolume(
      `${missing.join(', ')} is missing, so the volume is not mounted here; mount it (Redis knows it as ${known})`,
    );
  for (const root of missing) await volume.makeFolder(root);
  const fault = await rootsFault(volume, layout.roots);
  if (fault) throw new StartupError(fault);
  if ((await readVolumeId(volume, layout.volumeFile)) === null && known === null) {
    const text = JSON.stringify({ id: randomUUID(), created_at: new Date(parts.now()).toISOString() });
    await volume.createText(layout.volumeFile, `${text}\n`);
  }
  return checkVolume(parts);
}

/**
 * Looks whether the volume still is the one that Redis knows; before every scan, since an unmounted folder looks like
 * one without files.
 *
 * @throws WrongVolume, VolumeError
 */
export async function checkVolume(parts: ScannerParts): Promise<string> {
  const { volume, layout, redis, prefix } = parts;
  const id = await readVolumeId(volume, layout.volumeFile);
  if (id === null)
    throw new WrongVolume(
      `${layout.volumeFile} is missing, so the volume is not mounted here, or another one is; mount the right one (${ROOT_VARIABLES})`,
    );
  const known = await rememberVolume(redis, prefix, id);
  if (known !== id)
    throw new WrongVolume(
      `the volume mounted here has the id ${id}, Redis knows ${known}; mount the right one, or, if the change is meant, run: redis-cli DEL '${prefix}:volume'`,
    );
  return id;
}
