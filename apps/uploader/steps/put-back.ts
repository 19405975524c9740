import { folderOf, VolumeError } from '@app/shared/domain';
import type { Run, Tools } from '../run.js';

/**
 * Puts a file back that was claimed just now and is not the one that the scanner saw: Redis may have gone back to a job
 * whose file is delivered, and this be the file of a later session. The scanner sees it anew. Where its folder in the drop
 * folder is gone by now, it is made again.
 *
 * @returns whether it is back; never over a file that has come since
 * @throws VolumeError
 */
export async function putBack(
  { session, filename }: Pick<Run, 'session' | 'filename'>,
  { layout, volume }: Pick<Tools, 'layout' | 'volume'>,
): Promise<boolean> {
  const claimed = layout.processing(session, filename);
  const dropped = layout.incoming(filename);
  const renamed = await volume.renameToFree(claimed, dropped);
  const folder = folderOf(filename);
  if (renamed !== 'missing' || folder === '' || !(await volume.lstat(claimed))) return renamed === 'renamed';
  try {
    await volume.makeFolder(layout.incoming(folder));
  } catch (error) {
    // a file has the folder's name by now: this one goes on where it is
    if (error instanceof VolumeError && error.code === 'ENOTDIR') return false;
    throw error;
  }
  return (await volume.renameToFree(claimed, dropped)) === 'renamed';
}
