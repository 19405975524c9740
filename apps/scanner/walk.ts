import {
  isDatePrefix,
  isEncodedSession,
  removedFileName,
  VolumeError,
  type FileKind,
  type SessionRef,
} from '@app/shared/domain';
import type { Volume } from '@app/shared/files';
import type { BlockedEntries } from './blocked-entries.js';

/** What stands in a session's folder. */
export interface SessionFolder {
  readonly session: SessionRef;
  readonly path: string;
  /** Every entry that has no dot name, of any kind: one that became a symlink or a folder right before its claim is here too. */
  readonly files: string[];
  /** Left-overs of removals. */
  readonly leftOvers: string[];
  /** Every other dot name: reasons, side notes, what does not belong here. */
  readonly others: string[];
}

/** A root with its sessions' folders. */
export interface WalkedRoot {
  readonly path: string;
  /** Oldest day first. */
  readonly folders: SessionFolder[];
  /** Dot names directly in the root. */
  readonly dotNames: string[];
}

/**
 * Walks `<root>/<date>/<encoded_session>/`. Entries that are no session's are passed over, and folders that may not be
 * listed, which are noted as blocked.
 *
 * @throws VolumeError
 */
export async function walkSessions(
  volume: Volume,
  root: string,
  blocked: BlockedEntries,
): Promise<WalkedRoot> {
  const folders: SessionFolder[] = [];
  const dotNames: string[] = [];
  const dates = await folderNames(volume, root, (name) => name.startsWith('.') && dotNames.push(name));
  const sessionsOf = (folder: string) => blocked.attempt(folder, folderNames(volume, folder), []);
  for (const date of dates.filter(isDatePrefix).sort()) {
    for (const encoded of (await sessionsOf(`${root}/${date}`)).filter(isEncodedSession).sort()) {
      const folder: SessionFolder = {
        session: { datePrefix: date, encodedSession: encoded },
        path: `${root}/${date}/${encoded}`,
        files: [],
        leftOvers: [],
        others: [],
      };
      const listing = listed(volume, folder.path, (name) => {
        if (removedFileName(name) !== undefined) folder.leftOvers.push(name);
        else if (!name.startsWith('.')) folder.files.push(name);
        else folder.others.push(name);
      });
      // of what is not known whole nothing may be concluded, not even that it is empty
      if (
        await blocked.attempt(
          folder.path,
          listing.then(() => true),
          false,
        )
      )
        folders.push(folder);
    }
  }
  return { path: root, folders, dotNames };
}

async function folderNames(
  volume: Volume,
  path: string,
  other: (name: string) => void = () => undefined,
): Promise<string[]> {
  const names: string[] = [];
  await listed(volume, path, (name, kind) => {
    // NFS may not tell what an entry is; listing it will
    if (kind === 'directory' || (kind === 'unknown' && !name.startsWith('.'))) names.push(name);
    else other(name);
  });
  return names;
}

async function listed(
  volume: Volume,
  path: string,
  each: (name: string, kind: FileKind) => void,
): Promise<void> {
  try {
    await volume.list(path, (entries) => {
      // what is no UTF-8 was never put here by Sluice, and keeps its folder from being removed
      for (const { name, kind } of entries) each(name ?? '.', kind);
    });
  } catch (error) {
    // a folder that another process has just removed, or no folder
    if (!(error instanceof VolumeError && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))) throw error;
  }
}
