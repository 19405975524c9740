import { isRemovingNameOf, type FileLook } from '@app/shared/domain';
import type { Run, Tools } from '../run.js';

/** Where a file was found before it is claimed. */
export interface Found {
  readonly place: 'processing' | 'failed' | 'incoming' | 'nowhere';
  /** Bytes as last seen; what the reservation is for. */
  readonly size: number;
}

/** Whether the file is now in its session's folder, and whether this run brought it there from the drop folder. */
export type Claim = { readonly claimed: true; readonly fresh: boolean } | { readonly claimed: false };

/**
 * Looks where the file is. The session's folder comes first (an earlier run claimed it), then the quarantine for a
 * retry, then the drop folder, for which the scanner's look is enough: a missing file shows at the rename.
 *
 * @throws VolumeError
 */
export async function locate(run: Run, tools: Tools): Promise<Found> {
  const { layout, volume } = tools;
  const claimed = await volume.lstat(layout.processing(run.session, run.filename));
  if (claimed) return { place: 'processing', size: claimed.size };
  if (run.retried) {
    const failed = await volume.lstat(layout.failed(run.session, run.filename));
    if (failed) return { place: 'failed', size: failed.size };
  }
  if (run.payload.size !== null) return { place: 'incoming', size: run.payload.size };
  const dropped = await volume.lstat(layout.incoming(run.filename));
  if (dropped) return { place: 'incoming', size: dropped.size };
  const failed = await volume.lstat(layout.failed(run.session, run.filename));
  return failed ? { place: 'failed', size: failed.size } : { place: 'nowhere', size: 0 };
}

/**
 * Brings the file into its session's folder by one atomic rename. The target was looked at right before, by
 * {@link locate}. Safe to repeat.
 *
 * @throws VolumeError
 */
export async function claim(run: Run, found: Found, tools: Tools): Promise<Claim> {
  if (found.place === 'processing') return { claimed: true, fresh: false };
  if (found.place === 'failed') return bringBack(run, tools);
  if (found.place === 'nowhere') return putLeftOverBack(run, tools);
  const { layout, volume } = tools;
  const source = layout.incoming(run.filename);
  const target = layout.processing(run.session, run.filename);
  // ENOENT says too little: the folder, the file, or (NFS repeats requests) nothing may be missing
  for (let tries = 0; tries < 3; tries++) {
    if ((await volume.rename(source, target)) === 'renamed') return { claimed: true, fresh: true };
    if (await volume.lstat(target)) return { claimed: true, fresh: false };
    if (!(await volume.lstat(source))) break;
    await volume.makeFolder(layout.processingFolder(run.session));
  }
  const failed = await volume.lstat(layout.failed(run.session, run.filename));
  return failed ? bringBack(run, tools) : putLeftOverBack(run, tools);
}

/** Moves a quarantined file back to work; its reason goes. */
async function bringBack(run: Run, tools: Tools): Promise<Claim> {
  const { layout, volume } = tools;
  const target = layout.processing(run.session, run.filename);
  await volume.makeFolder(layout.processingFolder(run.session));
  if (await volume.lstat(target)) return { claimed: true, fresh: false };
  if ((await volume.rename(layout.failed(run.session, run.filename), target)) === 'missing') {
    // the rename may have happened although it says otherwise
    if (!(await volume.lstat(target))) return putLeftOverBack(run, tools);
  }
  await volume.unlink(layout.reason(run.session, run.filename));
  run.note('brought back from the quarantine');
  return { claimed: true, fresh: false };
}

/**
 * A run that died in its removal step left the source under a dot name: it goes back under its own, and the attempt
 * runs in full. Another run's token makes the name its own, so one that merely slept finds nothing to unlink.
 */
async function putLeftOverBack(run: Run, tools: Tools): Promise<Claim> {
  const { layout, volume } = tools;
  const folder = layout.processingFolder(run.session);
  const target = layout.processing(run.session, run.filename);
  const left: string[] = [];
  const exists: FileLook | null = await volume.lstat(folder);
  if (exists)
    await volume.list(folder, (entries) => {
      for (const { name } of entries)
        if (name !== null && isRemovingNameOf(name, run.filename)) left.push(name);
    });
  for (const name of left) {
    if (await volume.lstat(target)) return { claimed: true, fresh: false };
    if ((await volume.rename(`${folder}/${name}`, target)) === 'renamed')
      return { claimed: true, fresh: false };
  }
  return { claimed: false };
}
