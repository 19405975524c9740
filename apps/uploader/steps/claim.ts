import { isRemovingNameOf, sameFile, type FileLook } from '@app/shared/domain';
import { requireOwnershipUnlessNew, type Run, type Tools } from '../run.js';

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
 * @throws VolumeError
 */
export async function locate(run: Run, tools: Tools): Promise<Found> {
  const { layout, volume } = tools;
  const { ino, size } = run.payload;
  if (run.first && ino !== null && size !== null) return { place: 'incoming', size };
  const claimed = await volume.lstat(layout.processing(run.session, run.filename));
  if (claimed) return { place: 'processing', size: claimed.size };
  const [leftOver] = await leftOversOf(run, tools);
  const left = leftOver === undefined ? null : await volume.lstat(leftOver);
  if (left) return { place: 'left-over', size: left.size };
  const dropped = await volume.lstat(layout.incoming(run.filename));
  if (dropped && isDropOf(dropped, run.payload)) return { place: 'incoming', size: dropped.size };
  const failed = await volume.lstat(layout.failed(run.session, run.filename));
  return failed ? { place: 'failed', size: failed.size } : { place: 'nowhere', size: 0 };
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
 * @throws VolumeError; Interrupted where another run has taken the job over
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
    if (renamed !== 'missing') return true;
    if (await volume.lstat(target)) return true;
    if (!(await volume.lstat(source))) break;
    await volume.makeFolder(layout.processingFolder(run.session));
  }
  const failed = await volume.lstat(layout.failed(run.session, run.filename));
  return failed ? bringBack(run, tools) : putLeftOverBack(run, tools);
}

/** Moves a quarantined file back to work; its reason goes. */
async function bringBack(run: Run, tools: Tools): Promise<boolean> {
  const { layout, volume } = tools;
  const target = layout.processing(run.session, run.filename);
  await volume.makeFolder(layout.processingFolder(run.session));
  const renamed = await volume.renameToFree(layout.failed(run.session, run.filename), target);
  if (renamed === 'taken') return true;
  // the rename may have happened although it says otherwise
  if (renamed === 'missing' && !(await volume.lstat(target))) return putLeftOverBack(run, tools);
  await volume.unlink(layout.reason(run.session, run.filename));
  run.note('brought back from the quarantine');
  return true;
}

/**
 * A run that died in its removal step left the source under a dot name: it goes back under its own, and the attempt
 * runs in full. Another run's token makes the name its own, so one that merely slept finds nothing to unlink.
 *
 * @returns whether the file is in its session's folder now
 * @throws VolumeError
 */
export async function putLeftOverBack(
  run: Pick<Run, 'session' | 'filename'>,
  tools: Tools,
): Promise<boolean> {
  const target = tools.layout.processing(run.session, run.filename);
  for (const path of await leftOversOf(run, tools))
    if ((await tools.volume.renameToFree(path, target)) !== 'missing') return true;
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
