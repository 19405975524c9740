import { VolumeError } from '@app/shared/domain';
import { removeReasonFile } from '@app/shared/files';
import { requireOwnershipUnlessNew, type Run, type Tools } from '../run.js';
import { isOwn, leftOversOf, type Found } from './locate.js';

/** How often a rename is tried whose folder has to be made first: the scanner may remove it again while it is empty. */
const TRIES = 3;

/**
 * A file has the place of a folder that this one needs, or a folder with other files has this one's place: it waits until
 * that is through. Names what stands there.
 */
export class NameConflict extends Error {
  override readonly name = 'NameConflict';
  constructor(stands: 'file' | 'folder', path: string) {
    super(
      stands === 'file'
        ? `a file stands where this one needs the folder ${path}; it waits until that file is through or taken away`
        : `the folder ${path} has this file's name and holds others; it waits until they are through or taken away`,
    );
  }
}

/**
 * Brings the file into its session's folder by one atomic rename, never over a file that is there: that one is claimed
 * already. A folder that took the file's place stays where it is. Safe to repeat.
 *
 * @returns whether it is there now; `directory` where a folder has its place
 * @throws VolumeError; NamesakeStands; NameConflict; Interrupted where another run has taken the job over
 */
export async function claim(run: Run, found: Found, tools: Tools): Promise<boolean | 'directory'> {
  if (found.place === 'processing') return true;
  // a run that waited for room, or slept, must not claim a newer file of this name for its own session
  await requireOwnershipUnlessNew(run);
  if (found.place === 'failed') return bringBack(run, tools);
  if (found.place !== 'incoming') return putLeftOverBack(run, tools);
  const { layout } = tools;
  const brought = await bring(layout.incoming(run.filename), run, tools);
  if (brought !== 'missing') return brought === 'directory' ? brought : true;
  const isFailed = await isOwn(layout.failed(run.session, run.filename), run, tools);
  return isFailed ? bringBack(run, tools) : putLeftOverBack(run, tools);
}

/**
 * Renames a file into its session's folder, and makes the folders that it needs.
 *
 * @returns `taken` where a file of its name is there already, `missing` where there is nothing to rename, `directory` where
 * that is a folder
 */
async function bring(
  source: string,
  run: Run,
  tools: Tools,
): Promise<'renamed' | 'taken' | 'missing' | 'directory'> {
  const { layout, volume } = tools;
  const target = layout.processing(run.session, run.filename);
  // ENOENT says too little: a folder, the file, or (NFS repeats requests) nothing may be missing
  for (let tries = 0; tries < TRIES; tries++) {
    const renamed = await volume.renameFileToFree(source, target);
    if (renamed === 'renamed' || renamed === 'taken' || renamed === 'directory') return renamed;
    if (renamed === 'folder') await makeFree(target, tools);
    else {
      if (await isOwn(target, run, tools)) return 'renamed';
      if (!(await volume.lstat(source))) return 'missing';
      await makeFolderFor(layout.processingFolder(run.session, run.filename), tools);
    }
  }
  return 'missing';
}

/** Makes the folder of a file. @throws VolumeError; NameConflict where a file has the place of a folder */
export async function makeFolderFor(folder: string, { volume }: Tools): Promise<void> {
  try {
    await volume.makeFolder(folder);
  } catch (error) {
    if (error instanceof VolumeError && error.code === 'ENOTDIR') throw new NameConflict('file', folder);
    throw error;
  }
}

/** Removes the folder that has a file's place, if it is empty. @throws VolumeError; NameConflict where it is not */
export async function makeFree(path: string, { volume }: Tools): Promise<void> {
  if (await volume.removeEmptyFolder(path)) return;
  if ((await volume.lstat(path))?.kind === 'directory') throw new NameConflict('folder', path);
}

/** Moves a quarantined file back to work; its reason goes. */
async function bringBack(run: Run, tools: Tools): Promise<boolean | 'directory'> {
  const { layout, volume } = tools;
  const brought = await bring(layout.failed(run.session, run.filename), run, tools);
  if (brought === 'directory') return brought;
  if (brought === 'taken') return true;
  if (brought === 'missing') return putLeftOverBack(run, tools);
  await removeReasonFile(volume, layout.reasons(run.session, run.filename));
  run.note('brought back from the quarantine');
  return true;
}

/**
 * A run that died in its removal step left the source under a dot name: it goes back under its own, and the attempt
 * runs in full. Another run's token makes the name its own, so one that merely slept finds nothing to unlink.
 *
 * @returns whether the file is in its session's folder now
 * @throws VolumeError; NamesakeStands; NameConflict
 */
export async function putLeftOverBack(
  run: Pick<Run, 'session' | 'filename' | 'payload'>,
  tools: Tools,
): Promise<boolean> {
  const target = tools.layout.processing(run.session, run.filename);
  for (const path of await leftOversOf(run, tools)) {
    let renamed = await tools.volume.renameToFree(path, target);
    if (renamed === 'folder') {
      await makeFree(target, tools);
      renamed = await tools.volume.renameToFree(path, target);
    }
    if (renamed === 'renamed' || renamed === 'taken') return true;
    if (renamed === 'namesake' && (await isOwn(target, run, tools))) return true;
  }
  return false;
}
