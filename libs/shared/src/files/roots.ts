import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { messageOf, VolumeError, type Roots } from '../domain/index.js';
import type { Volume } from './volume.js';

/** The variables that name the roots, for messages. */
export const ROOT_VARIABLES = 'APP_NFS_INCOMING_DIR, APP_NFS_PROCESSING_ROOT and APP_NFS_FAILED_ROOT';

/** Which of the three roots are not there. @throws VolumeError */
export async function missingRoots(volume: Volume, roots: Roots): Promise<string[]> {
  const looks = await Promise.all(
    [roots.incoming, roots.processing, roots.failed].map(async (root) => ({
      root,
      look: await volume.lookAnew(root),
    })),
  );
  return looks.filter(({ look }) => look === null).map(({ root }) => root);
}

/** Whether the root of kept sources is wanted and not there. @throws VolumeError */
export async function lacksDone(volume: Volume, { done }: Roots): Promise<boolean> {
  return done !== undefined && (await volume.lookAnew(done)) === null;
}

/**
 * Proves that the roots are writable and on one filesystem, by moving a probe file from one to the next; equal
 * device numbers would be no proof. A root of kept sources that is not there proves nothing: {@link lacksDone}. Safe to repeat: the probe has a name of its own and is removed.
 *
 * @returns the sentence that says what is wrong, or null
 * @throws VolumeError where the volume hangs or fails: that proves nothing
 */
export async function rootsFault(volume: Volume, roots: Roots): Promise<string | null> {
  const name = `.sluice-probe-${randomBytes(6).toString('hex')}`;
  const places = [roots.incoming, roots.processing, roots.failed].map((root) => join(root, name));
  const [incoming = '', processing = '', failed = ''] = places;
  let variables = ROOT_VARIABLES;
  try {
    await volume.writeText(incoming, 'sluice');
    await volume.renameToFree(incoming, processing);
    await volume.renameToFree(processing, failed);
    if (roots.done === undefined) return null;
    variables = 'APP_NFS_DONE_ROOT and APP_NFS_FAILED_ROOT';
    places.push(join(roots.done, name));
    await volume.renameToFree(failed, join(roots.done, name));
    return null;
  } catch (error) {
    if (!(error instanceof VolumeError)) throw error;
    if (error.code === 'EXDEV')
      return `${variables} must be on one filesystem: a file could not be renamed between them (${error.message})`;
    if (['EACCES', 'EPERM', 'EROFS'].includes(error.code))
      return `${variables} must be writable: ${error.message}`;
    if (['ENOTDIR', 'EEXIST', 'EINVAL'].includes(error.code))
      return `${variables} must be folders: ${error.message}`;
    throw error;
  } finally {
    for (const place of places) await volume.unlink(place).catch(() => false);
  }
}

/**
 * Looks whether this process may write where files are moved: between the roots, and in these folders where they are there.
 *
 * @returns the sentence that says what is refused, or null where all is well. Never throws: a probe that fails is one
 */
export async function writeFault(
  volume: Volume,
  roots: Roots,
  folders: Iterable<string>,
): Promise<string | null> {
  try {
    const fault = await rootsFault(volume, roots);
    if (fault !== null) return fault;
    for (const folder of folders) {
      if ((await volume.lstat(folder)) === null) continue;
      const refused = await volume
        .stamp(join(folder, `.sluice-probe-${randomBytes(6).toString('hex')}`))
        .then(
          () => null,
          (error: unknown) => `${folder} must be writable: ${messageOf(error)}`,
        );
      if (refused !== null) return refused;
    }
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

/** Reads the id in `<processing>/.sluice-volume`; null where there is none. @throws VolumeError */
export async function readVolumeId(volume: Volume, volumeFile: string): Promise<string | null> {
  const text = await volume.readText(volumeFile);
  if (text === null) return null;
  try {
    const { id } = JSON.parse(text) as { id?: unknown };
    return typeof id === 'string' ? id : null;
  } catch {
    return null;
  }
}
