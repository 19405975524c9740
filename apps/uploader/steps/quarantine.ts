import { removeReasonFile, writeReasonFile } from '@app/shared/files';
import type { QuarantineReason } from '@app/shared/queue';
import { requireOwnership, type Run, type Tools } from '../run.js';
import { makeFolderFor, makeFree, putLeftOverBack } from './claim.js';
import { claimedLook, isDropOf, isOwn, quarantinedLook } from './locate.js';
import { quarantineSidecars } from './sidecar-ends.js';

/**
 * What became of a quarantine: the file stands in `<failed>` now; nothing of it is left on the volume; or another file of
 * its name stands there, and this one stays in the drop folder.
 */
export type Quarantined = 'moved' | 'gone' | 'taken';

/**
 * Moves a file into `<failed>`, its reason written first, so that none ever stands there without one. Never over an
 * existing file, and never a newer file of the name. Its checksums come after it. Safe to repeat: a file that is there
 * already stays.
 *
 * @param folderToo whether a folder goes too that has the file's name in the drop folder: for the run that has just found it so.
 * It goes from there at once, since recovery would take what is in it for claimed files
 * @throws VolumeError; NamesakeStands; NameConflict; Interrupted where another run has taken the job over
 */
export async function quarantine(
  run: Pick<Run, 'session' | 'filename' | 'payload' | 'stillOwned'>,
  reason: QuarantineReason,
  tools: Tools,
  folderToo = false,
): Promise<Quarantined> {
  const moved = await quarantineFile(run, reason, tools, folderToo);
  if (moved === 'moved') await quarantineSidecars(run, tools);
  return moved;
}

async function quarantineFile(
  run: Pick<Run, 'session' | 'filename' | 'payload' | 'stillOwned'>,
  reason: QuarantineReason,
  tools: Tools,
  folderToo: boolean,
): Promise<Quarantined> {
  const { layout, volume } = tools;
  const target = layout.failed(run.session, run.filename);
  const claimed = layout.processing(run.session, run.filename);
  // what took the file's place before the claim may be a folder, and stands where it was claimed to
  const stands =
    reason.code === 'NotAPlainFile'
      ? await volume.lookExactly(claimed, run.payload.ino)
      : await claimedLook(run, tools);
  const isClaimed = (stands !== null && stands !== 'namesake') || (await putLeftOverBack(run, tools));
  const source = isClaimed ? claimed : layout.incoming(run.filename);
  if (!isClaimed) {
    const dropped = await volume.lstat(source);
    const isDropped = dropped !== null && isDropOf(dropped, run.payload);
    const quarantined = await quarantinedLook(run, tools);
    // on a volume that folds names the other one may be a namesake, which says nothing of a file that is gone
    if (quarantined && isDropped) return 'taken';
    if (quarantined && quarantined !== 'namesake') return 'moved';
    if (!isDropped && !(folderToo && dropped?.kind === 'directory')) return 'gone';
  }
  await makeFolderFor(layout.failedFolder(run.session, run.filename), tools);
  const there = await volume.lstat(target);
  if (there?.kind === 'directory') await makeFree(target, tools);
  else if (there) throw new Error(`${target} exists already; it is not replaced`);
  const text = {
    filename: run.filename,
    date_prefix: run.session.datePrefix,
    encoded_session: run.session.encodedSession,
    ...reason,
  };
  const reasons = layout.reasons(run.session, run.filename);
  await writeReasonFile(volume, reasons, `${JSON.stringify(text, null, 2)}\n`);
  // a run that slept must not lift a newer file of this name
  await requireOwnership(run);
  const renamed = await volume.renameToFree(source, target).catch(async (error: unknown) => {
    // a rename may have happened although it says otherwise; a reason without its file says what is not so
    if (!(await volume.lstat(target))) await removeReasonFile(volume, reasons);
    throw error;
  });
  if (renamed === 'taken' || renamed === 'folder')
    throw new Error(`${target} exists already; it is not replaced`);
  if (renamed !== 'renamed' && !(await isOwn(target, run, tools))) {
    await removeReasonFile(volume, reasons);
    return 'gone';
  }
  return 'moved';
}
