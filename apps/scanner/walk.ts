import {
  isDatePrefix,
  isEncodedSession,
  removedFileName,
  VolumeError,
  type SessionRef,
} from '@app/shared/domain';
import type { Volume } from '@app/shared/files';

/** What stands in a session's folder. */
export interface SessionFolder {
  readonly session: SessionRef;
  readonly path: string;
  /** Names of files that are no dot names. */
  readonly files: string[];
  /** Left-overs of removals. */
  readonly leftOvers: string[];
  /** Every other entry: reasons, side notes, what does not belong here. */
  readonly others: string[];
}

/** Walks `<root>/<date>/<encoded_session>/`, oldest day first. Entries that are no session's are passed over. @throws VolumeError */
export async function walkSessions(volume: Volume, root: string): Promise<SessionFolder[]> {
  const folders: SessionFolder[] = [];
  for (const date of (await folderNames(volume, root)).filter(isDatePrefix).sort()) {
    for (const encoded of (await folderNames(volume, `${root}/${date}`)).filter(isEncodedSession).sort()) {
      const folder: SessionFolder = {
        session: { datePrefix: date, encodedSession: encoded },
        path: `${root}/${date}/${encoded}`,
        files: [],
        leftOvers: [],
        others: [],
      };
      await listed(volume, folder.path, (name, plain) => {
        if (removedFileName(name) !== undefined) folder.leftOvers.push(name);
        else if (plain && !name.startsWith('.')) folder.files.push(name);
        else folder.others.push(name);
      });
      folders.push(folder);
    }
  }
  return folders;
}

async function folderNames(volume: Volume, path: string): Promise<string[]> {
  const names: string[] = [];
  await listed(volume, path, (name, _plain, folder) => {
    if (folder) names.push(name);
  });
  return names;
}

async function listed(
  volume: Volume,
  path: string,
  each: (name: string, plain: boolean, folder: boolean) => void,
): Promise<void> {
  try {
    await volume.list(path, (entries) => {
      for (const { name, kind } of entries)
        if (name !== null) each(name, kind === 'file' || kind === 'unknown', kind === 'directory');
    });
  } catch (error) {
    // a folder that another process has just removed
    if (!(error instanceof VolumeError && error.code === 'ENOENT')) throw error;
  }
}
