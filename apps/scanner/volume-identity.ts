import { randomUUID } from 'node:crypto';
import { VolumeError } from '@app/shared/domain';
import { missingRoots, readVolumeId, ROOT_VARIABLES, rootsFault } from '@app/shared/files';
import { knownVolume, rememberVolume } from '@app/shared/records';
import { StartupError } from '@app/shared/runtime';
import type { ScannerParts } from './parts.js';

/** The volume is not the one that Redis knows, or not there: nothing on it may be believed. */
export class WrongVolume extends Error {
  override readonly name = 'WrongVolume';
}

/** A volume that is the one that Redis knows. */
export interface ProvedVolume {
  readonly id: string;
  /** Whether Redis knew no volume, although this one has been in use: Redis is new, or has lost its data. */
  readonly forgotten: boolean;
}

/**
 * Proves the volume when this scanner takes the lead: makes missing roots and the volume's id, but only where Redis
 * knows no volume yet; otherwise a missing root means that the volume is not mounted. Safe to repeat.
 *
 * @throws WrongVolume, VolumeError: try again later; StartupError where the settings are wrong
 */
export async function proveVolume(parts: ScannerParts): Promise<ProvedVolume> {
  const { volume, layout, redis, prefix } = parts;
  const known = await knownVolume(redis, prefix);
  const missing = await orStartupError(missingRoots(volume, layout.roots));
  if (missing.length > 0 && known !== null)
    throw new WrongVolume(
      `the volume is not mounted here (or another one is): ${missing.join(', ')} is missing; mount the volume that Redis knows as ${known} (${ROOT_VARIABLES})`,
    );
  // before anything is written: what is not the volume stays as it is
  if (known !== null) await checkVolume(parts);
  for (const root of missing) {
    await orStartupError(volume.makeFolder(root));
    parts.log.warn(
      `${root} was not there and is made now; where the volume has it already, another one is mounted here (${ROOT_VARIABLES})`,
    );
  }
  // it may be wanted later than the others: that it is missing says nothing of the volume
  if (layout.roots.done !== undefined) await orStartupError(volume.makeFolder(layout.roots.done));
  const fault = await orStartupError(rootsFault(volume, layout.roots));
  if (fault) throw new StartupError(fault);
  let made = false;
  if (known === null && (await readVolumeId(volume, layout.volumeFile)) === null) {
    const text = JSON.stringify({ id: randomUUID(), created_at: new Date(parts.now()).toISOString() });
    made = await volume.createText(layout.volumeFile, `${text}\n`);
  }
  const { id, forgotten } = await checkVolume(parts);
  return { id, forgotten: forgotten && !made };
}

/**
 * Looks whether the volume still is the one that Redis knows; before every scan, since an unmounted folder looks like
 * one without files.
 *
 * @throws WrongVolume, VolumeError
 */
export async function checkVolume(parts: ScannerParts): Promise<ProvedVolume> {
  const { volume, layout, redis, prefix } = parts;
  const id = await readVolumeId(volume, layout.volumeFile);
  if (id === null)
    throw new WrongVolume(
      `the volume is not mounted here (or another one is): ${layout.volumeFile} is missing or holds no id; mount the right volume (${ROOT_VARIABLES})`,
    );
  const known = await rememberVolume(redis, prefix, id);
  if (known.id !== id)
    throw new WrongVolume(
      `another volume is mounted here: its id is ${id}, Redis knows ${known.id}; mount the right one (${ROOT_VARIABLES}), or, if the change is meant, run: redis-cli DEL '${prefix}:volume'`,
    );
  return { id, forgotten: known.first };
}

/** Codes that no waiting cures. */
const SETTINGS = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'EEXIST']);

async function orStartupError<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof VolumeError && SETTINGS.has(error.code))) throw error;
    throw new StartupError(`${ROOT_VARIABLES} must be writable folders: ${error.message}`);
  }
}
