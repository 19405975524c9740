import { isRemovingNameOf, sameFile, type FileLook } from '@app/shared/domain';
import { removeReasonFile } from '@app/shared/files';
import { requireOwnershipUnlessNew, type Run, type Tools } from '../run.js';

/** The volume folds names, and another file has a place that this one needs: it waits until that one is through. */
export class NamesakeStands extends Error {
  override readonly name = 'NamesakeStands';
  constructor(filename: string) {
    super(
      `this volume takes the name ${JSON.stringify(filename)} for that of another file, which is not through yet`,
    );
  }
}

/** Where a file was found before it is claimed. */
export interface Found {
  readonly place: 'processing' | 'left-over' | 'failed' | 'incoming' | 'nowhere';
  /** Bytes as last seen; what the reservation is for. */
  readonly size: number;
}

/**
 * Looks where the file is. For the first run after the scanner found it the scanner's look is enough, and the rename
 * tells the rest. Otherwise an earlier run may have claimed it: it stands in the session's folder, or there under the
 * dot name of a removal that did not end; it is still in the drop folder if that has this very file, for a newer one of
 * the name is not this job's; or it is in quarantine.
 *
 * @throws VolumeError; NamesakeStands where nothing of it is found but a file that the volume takes for it
 */
export async function locate(run: Run, tools: Tools): Promise<Found> {
  const { layout, volume } = tools;
  const { ino, size } = run.payload;
  if (run.first && ino !== null && size !== null) return { place: 'incoming', size };
  const claimed = await volume.lookExactly(layout.processing(run.session, run.filename), ino);
  if (claimed && claimed !== 'namesake') return { place: 'processing', size: claimed.size };
  const [leftOver] = await leftOversOf(run, tools);
  const left = leftOver === undefined ? null : await volume.lstat(leftOver);
  if (left) return { place: 'left-over', size: left.size };
  const dropped = await volume.lstat(layout.incoming(run.filename));
  if (dropped && isDropOf(dropped, run.payload)) return { place: 'incoming', size: dropped.size };
  const failed = await volume.lookExactly(layout.failed(run.session, run.filename), ino);
  if (failed && failed !== 'namesake') return { place: 'failed', size: failed.size };
  if (claimed || failed) throw new NamesakeStands(run.filename);
  return { place: 'nowhere', size: 0 };
}

/** Whether a file in the drop folder is the one that the scanner enqueued, and not a newer one of its name. */
export function isDropOf(look: FileLook, { ino, size, mtimeNs }: Run['payload']): boolean {
  return ino !== null && size !== null && mtimeNs !== null && sameFile(look, { ino, size, mtimeNs });
}

/**
 * Brings the file into its session's folder by one atomic rename, never over a file that is there: that one is claimed
 * already. Safe to repeat.
 *
 * @returns whether it is there now
 * @throws VolumeError; NamesakeStands; Interrupted where another run has taken the job over
 */
export async function claim(run: Run, found: Found, tools: Tools): Promise<boolean> {
  if (found.place === 'processing') return true;
  // a run that waited for room, or slept, must not claim a newer file of this name for its own session
  await requireOwnershipUnlessNew(run);
  if (found.place === 'failed') return bringBack(run, tools);
  if (found.place !== 'incoming') return putLeftOverBack(run, tools);
  const { layout, volume } = tools;
  const source = layout.incoming(run.filename);
  const target = layout.processing(run.session, run.filename);
  // ENOENT says too little: the folder, the file, or (NFS repeats requests) nothing may be missing
  for (let tries = 0; tries < 3; tries++) {
    const renamed = await volume.renameToFree(source, target);
    if (renamed === 'renamed' || renamed === 'taken') return true;
    if (await isOwn(target, run, tools)) return true;
    if (!(await volume.lstat(source))) break;
    await volume.makeFolder(layout.processingFolder(run.session));
  }
  const isFailed = await isOwn(layout.failed(run.session, run.filename), run, tools);
  return isFailed ? bringBack(run, tools) : putLeftOverBack(run, tools);
}

/**
 * Whether a file stands at a path that only this job's file may have: one of exactly this name, or with the job's inode.
 *
 * @throws VolumeError; NamesakeStands where the volume takes another file for it
 */
export async function isOwn(
  path: string,
  { filename, payload }: Pick<Run, 'filename' | 'payload'>,
  tools: Tools,
): Promise<boolean> {
  const look = await tools.volume.lookExactly(path, payload.ino);
  if (look === 'namesake') throw new NamesakeStands(filename);
  return look !== null;
}

/** Moves a quarantined file back to work; its reason goes. */
async function bringBack(run: Run, tools: Tools): Promise<boolean> {
  const { layout, volume } = tools;
  const target = layout.processing(run.session, run.filename);
  await volume.makeFolder(layout.processingFolder(run.session));
  const renamed = await volume.renameToFree(layout.failed(run.session, run.filename), target);
  if (renamed === 'taken') return true;
  // the rename may have happened although it says otherwise
  if (renamed !== 'renamed' && !(await isOwn(target, run, tools))) return putLeftOverBack(run, tools);
  await removeReasonFile(volume, layout.reasons(run.session, run.filename));
  run.note('brought back from the quarantine');
  return true;
}

/**
 * A run that died in its removal step left the source under a dot name: it goes back under its own, and the attempt
 * runs in full. Another run's token makes the name its own, so one that merely slept finds nothing to unlink.
 *
 * @returns whether the file is in its session's folder now
 * @throws VolumeError; NamesakeStands
 */
export async function putLeftOverBack(
  run: Pick<Run, 'session' | 'filename' | 'payload'>,
  tools: Tools,
): Promise<boolean> {
  const target = tools.layout.processing(run.session, run.filename);
  for (const path of await leftOversOf(run, tools)) {
    const renamed = await tools.volume.renameToFree(path, target);
    if (renamed === 'renamed' || renamed === 'taken') return true;
    if (renamed === 'namesake' && (await isOwn(target, run, tools))) return true;
  }
  return false;
}

/** Paths of left-overs of this file's removal, of any attempt. */
async function leftOversOf(run: Pick<Run, 'session' | 'filename'>, tools: Tools): Promise<string[]> {
  const folder = tools.layout.processingFolder(run.session);
  const left: string[] = [];
  if (await tools.volume.lstat(folder))
    await tools.volume.list(folder, (entries) => {
      for (const { name } of entries)
        if (name !== null && isRemovingNameOf(name, run.filename)) left.push(`${folder}/${name}`);
    });
  return left;
}
