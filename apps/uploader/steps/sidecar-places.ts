import { jobId, sidecarNames, unlessTooLong, type SidecarName } from '@app/shared/domain';
import { readReasonFile } from '@app/shared/files';
import type { JobState } from '@app/shared/queue';
import type { Run, Tools } from '../run.js';
import { makeFolderFor } from './claim.js';

/** What tells a run's file from others of its name. */
export type OneFile = Pick<Run, 'session' | 'filename' | 'payload'>;

/** Jobs whose file is on its way, or waits for it. */
const OPEN: ReadonlySet<JobState> = new Set(['queued', 'active', 'delayed']);

/**
 * Those that are no files of their own: what has a job by now was taken by a scanner for which there are no sidecars, and is
 * left to that job.
 *
 * @throws what Redis answers
 */
export async function withoutJobs<Name extends SidecarName>(
  names: readonly Name[],
  { states }: Tools,
): Promise<Name[]> {
  if (names.length === 0) return [];
  const found = await states(names.map(({ name }) => jobId(name)));
  return names.filter((_, i) => !OPEN.has(found[i] ?? 'missing'));
}

/** Whether the volume takes the name of any checksum of a file. @throws VolumeError */
export async function hasRoom(filename: string, { layout, volume }: Tools): Promise<boolean> {
  for (const { name } of sidecarNames(filename)) {
    const look = volume.lstat(layout.incoming(name)).then(() => true);
    if (await look.catch((error: unknown) => unlessTooLong(error, false))) return true;
  }
  return false;
}

/** Whether a file of its own stands under a sidecar's name in quarantine: its reason is beside it. @throws VolumeError */
export async function isQuarantined(
  { session }: OneFile,
  name: string,
  { layout, volume }: Tools,
): Promise<boolean> {
  for (const reason of layout.reasons(session, name))
    if ((await readReasonFile(volume, reason)) !== null) return true;
  return false;
}

/**
 * Renames a sidecar, and makes the folders that it needs. Safe to repeat.
 *
 * @param name of the sidecar
 * @param replace whether what stands at the target is of an earlier file, or was mended
 * @returns whether it did; false also where the volume finds the name too long: then nothing has it
 * @throws VolumeError; NameConflict
 */
export async function move(
  from: string,
  to: string,
  run: OneFile,
  name: string,
  tools: Tools,
  replace: boolean,
): Promise<boolean> {
  const { layout, volume } = tools;
  for (let tries = 0; tries < 3; tries++) {
    const renamed = await renameSidecar(from, to, tools);
    if (renamed === 'renamed') return true;
    if (renamed === 'too-long') return false;
    if (renamed === 'taken' && replace) await volume.unlink(to);
    else if (renamed !== 'missing' || !(await volume.lstat(from))) return false;
    else await makeFolderFor(layout.processingFolder(run.session, name), tools);
  }
  return false;
}

/** Renames a sidecar onto a name that should be free. @returns also `too-long`: nothing has such a name here. @throws VolumeError */
export function renameSidecar(from: string, to: string, { volume }: Tools) {
  return volume.renameToFree(from, to).catch((error: unknown) => unlessTooLong(error, 'too-long' as const));
}

/** Whether a plain file stands at a path. @throws VolumeError */
export async function isPlain(path: string, { volume }: Tools): Promise<boolean> {
  const look = await volume.lstat(path).catch((error: unknown) => unlessTooLong(error, null));
  return look?.kind === 'file';
}
