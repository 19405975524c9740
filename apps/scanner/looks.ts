import { VolumeError, type FileLook } from '@app/shared/domain';
import type { FolderLook, Volume } from '@app/shared/files';

/** Files looked at per call, so that a slow volume does not take a call past its deadline. */
const SLICE = 256;
/** Calls at once. */
const AT_ONCE = 4;

/** Looks at many files of a folder, in order; names may hold slashes. @throws VolumeError where a whole call failed */
export async function lookAtMany(
  volume: Volume,
  folder: string,
  names: readonly string[],
): Promise<(FileLook | null | VolumeError)[]> {
  return inSlices(names, (slice) => volume.lstatMany(folder, slice));
}

/** Looks at many folders, in order, past the caches of NFS. @throws VolumeError where a whole call failed */
export async function lookAtFolders(
  volume: Volume,
  folder: string,
  paths: readonly string[],
): Promise<(FolderLook | null | VolumeError)[]> {
  return inSlices(paths, (slice) => volume.lookAtFolders(folder, slice));
}

async function inSlices<Look>(
  names: readonly string[],
  call: (slice: readonly string[]) => Promise<Look[]>,
): Promise<Look[]> {
  const looks: Look[] = [];
  for (let at = 0; at < names.length; at += SLICE * AT_ONCE) {
    const slices: Promise<Look[]>[] = [];
    for (let from = at; from < Math.min(names.length, at + SLICE * AT_ONCE); from += SLICE)
      slices.push(call(names.slice(from, from + SLICE)));
    for (const slice of await Promise.all(slices)) looks.push(...slice);
  }
  return looks;
}

/** Opens many files for a look that no cache of NFS answers; an error of one does not spoil the others. */
export async function lookAnewAtMany(
  volume: Volume,
  paths: readonly string[],
): Promise<(FileLook | null | VolumeError)[]> {
  return Promise.all(
    paths.map((path) =>
      volume.lookAnew(path).catch((error: unknown) => {
        if (error instanceof VolumeError) return error;
        throw error;
      }),
    ),
  );
}

/** Whether a file is there, asked past the caches of NFS; one that may not be opened is there. @throws VolumeError */
export async function isThere(volume: Volume, path: string): Promise<FileLook | null> {
  try {
    return await volume.lookAnew(path);
  } catch (error) {
    if (error instanceof VolumeError && error.disposition !== 'outage') return volume.lstat(path);
    throw error;
  }
}
