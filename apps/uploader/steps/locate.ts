import { isRemovingNameOf, sameFile, type FileLook } from '@app/shared/domain';
import { readReasonFile } from '@app/shared/files';
import type { Run, Tools } from '../run.js';

/** The volume folds names, and another file has a place that this one needs: it waits until that one is through. */
export class NamesakeStands extends Error {
  override readonly name = 'NamesakeStands';
  constructor(filename: string) {
    super(
      `this volume takes the name ${JSON.stringify(filename)} for that of another file, which is not through yet`,
    );
  }
}

/** What tells a run's file from others of its name. */
type OneFile = Pick<Run, 'session' | 'filename' | 'payload'>;

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
  const claimed = await claimedLook(run, tools);
  if (claimed && claimed !== 'namesake') return { place: 'processing', size: claimed.size };
  const [leftOver] = await leftOversOf(run, tools);
  const left = leftOver === undefined ? null : await volume.lstat(leftOver);
  if (left) return { place: 'left-over', size: left.size };
  const dropped = await volume.lstat(layout.incoming(run.filename));
  if (dropped && isDropOf(dropped, run.payload)) return { place: 'incoming', size: dropped.size };
  const failed = await quarantinedLook(run, tools);
  if (failed && failed !== 'namesake') return { place: 'failed', size: failed.size };
  if (claimed || failed) throw new NamesakeStands(run.filename);
  return { place: 'nowhere', size: 0 };
}

/** Whether a file in the drop folder is the one that the scanner enqueued, and not a newer one of its name. */
export function isDropOf(look: FileLook, { ino, size, mtimeNs }: Run['payload']): boolean {
  return ino !== null && size !== null && mtimeNs !== null && sameFile(look, { ino, size, mtimeNs });
}

/** Looks at a claimed file in its session's folder; a folder there holds other files. @throws VolumeError */
export async function claimedLook(
  { session, filename, payload }: OneFile,
  { layout, volume }: Tools,
): Promise<FileLook | 'namesake' | null> {
  const look = await volume.lookExactly(layout.processing(session, filename), payload.ino);
  return isFolder(look) ? null : look;
}

/**
 * Looks at a file in quarantine. A folder stands there for the file only where it took its place before the claim: then its
 * reason is beside it. Any other one holds quarantined files.
 *
 * @throws VolumeError
 */
export async function quarantinedLook(
  { session, filename, payload }: OneFile,
  { layout, volume }: Tools,
): Promise<FileLook | 'namesake' | null> {
  const look = await volume.lookExactly(layout.failed(session, filename), payload.ino);
  if (!isFolder(look)) return look;
  for (const reason of layout.reasons(session, filename))
    if ((await readReasonFile(volume, reason)) !== null) return look;
  return null;
}

/** Whether a look found a folder. */
export function isFolder(look: FileLook | 'namesake' | null): look is FileLook {
  return look !== null && look !== 'namesake' && look.kind === 'directory';
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
  return look !== null && !isFolder(look);
}

/** Paths of left-overs of this file's removal, of any attempt. @throws VolumeError */
export async function leftOversOf(
  { session, filename }: Pick<Run, 'session' | 'filename'>,
  { layout, volume }: Tools,
): Promise<string[]> {
  const folder = layout.processingFolder(session, filename);
  const left: string[] = [];
  if ((await volume.lstat(folder))?.kind === 'directory')
    await volume.list(folder, (entries) => {
      for (const { name } of entries)
        if (name !== null && isRemovingNameOf(name, filename)) left.push(`${folder}/${name}`);
    });
  return left;
}
