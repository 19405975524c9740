import { dirname } from 'node:path';
import { olderName, sameFile, VolumeError, type FileLook } from '@app/shared/domain';
import { lacksDone } from '@app/shared/files';
import type { Run, Tools } from '../run.js';

/** How often a folder is made anew that the scanner removes meanwhile, since it was empty. */
const TRIES = 3;
/** The volume has no room for one more folder or name: then nothing is kept. */
const NO_ROOM: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EMLINK', 'ENAMETOOLONG']);

/**
 * The end of a source whose blob is verified and whose receipt is written: it is unlinked, or, with APP_KEEP_DONE_S, renamed
 * into `<done>`. Never over what is kept there already: an older drop of the name gets a dot name first. Safe to repeat.
 *
 * @param removing where it stands, under a name that only this run can have given it
 * @returns false where it was not there
 * @throws VolumeError
 */
export async function keepOrUnlink(
  run: Run,
  removing: string,
  source: FileLook,
  tools: Tools,
): Promise<boolean> {
  const target = tools.layout.done(run.session, run.filename);
  if (target === null) return tools.volume.unlink(removing);
  try {
    return await keep(run, removing, target, source, tools);
  } catch (error) {
    if (!(error instanceof VolumeError && NO_ROOM.has(error.code))) throw error;
    return tools.volume.unlink(removing);
  }
}

async function keep(
  run: Run,
  removing: string,
  target: string,
  source: FileLook,
  { volume, layout }: Tools,
): Promise<boolean> {
  const token = run.id.slice(0, 8);
  const older = `${dirname(target)}/${olderName(run.filename, token)}`;
  for (let i = 0; i < TRIES; i++) {
    switch (await volume.renameToFree(removing, target)) {
      case 'renamed':
        return true;
      case 'taken':
      case 'namesake':
        await volume.renameToFree(target, older);
        break;
      case 'folder':
        return (await volume.renameToFree(removing, older)) === 'renamed';
      case 'missing': {
        // NFS answers so also after a rename that happened
        const [here, there] = await Promise.all([volume.lstat(removing), volume.lstat(target)]);
        if (here === null) return there !== null && sameFile(there, source);
        await mustHaveRoot();
        if (await makeFolder(dirname(target))) break;
        // a file that is kept has the name of a folder on the way
        const top = dirname(layout.done(run.session, 'x') ?? '');
        return (
          (await volume.renameToFree(removing, `${top}/${olderName(run.filename, token)}`)) === 'renamed'
        );
      }
    }
  }
  return volume.unlink(removing);

  /** Made here, it would not be on the volume where that is mounted elsewhere: the scanner makes it. */
  async function mustHaveRoot(): Promise<void> {
    const { done } = layout.roots;
    if (await lacksDone(volume, layout.roots))
      throw new VolumeError(
        'ENOENT',
        'lstat',
        `${done} (APP_NFS_DONE_ROOT) is missing; it is made by the scanner`,
      );
  }

  async function makeFolder(path: string): Promise<boolean> {
    try {
      await volume.makeFolder(path);
      return true;
    } catch (error) {
      if (error instanceof VolumeError && error.code === 'ENOTDIR') return false;
      throw error;
    }
  }
}
