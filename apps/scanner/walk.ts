import {
  DEPTH_MAX,
  isDatePrefix,
  isEncodedSession,
  reasonFileName,
  removedFileName,
  shortReasonFileName,
  VolumeError,
  type FileKind,
  type SessionRef,
} from '@app/shared/domain';
import type { Volume } from '@app/shared/files';
import type { BlockedEntries } from './blocked-entries.js';
import { lookAtMany } from './looks.js';

/** Folders of a session listed at once. */
const AT_ONCE = 4;

/** What stands in a session's folder, or in one folder below it. */
export interface SessionFolder {
  readonly session: SessionRef;
  readonly path: string;
  /** Where it is below the session's folder, e.g. `a/b`; empty for that folder itself. */
  readonly below: string;
  /**
   * Names of files, i.e. with the path below the session's folder. Every entry that has no dot name and is no folder: one
   * that became a symlink right before its claim is here too. A quarantined folder, which has its reason beside it, is one.
   */
  readonly files: string[];
  /** Left-overs of removals: names of entries, as the two lists below. */
  readonly leftOvers: string[];
  /** Every other dot name: reasons, side notes, what does not belong here; and producers' checksums. */
  readonly others: string[];
  readonly subFolders: string[];
}

/** A root with its sessions' folders. */
export interface WalkedRoot {
  readonly path: string;
  /** Oldest day first, and each folder before those below it. */
  readonly folders: SessionFolder[];
  /** Dot names directly in the root. */
  readonly dotNames: string[];
}

/**
 * Walks `<root>/<date>/<encoded_session>/` and the folders below. Entries that are no session's are passed over, and folders
 * that may not be listed or are deeper than any file of ours, which are noted as blocked. Symlinks are never followed.
 *
 * @param isSidecar whether what is called so is no file of its own
 * @throws VolumeError
 */
export async function walkSessions(
  volume: Volume,
  root: string,
  blocked: BlockedEntries,
  isSidecar: (name: string) => boolean,
): Promise<WalkedRoot> {
  const folders: SessionFolder[] = [];
  const dotNames: string[] = [];
  const dates = await folderNames(volume, root, (name) => name.startsWith('.') && dotNames.push(name));
  const sessionsOf = (folder: string) => blocked.attempt(folder, folderNames(volume, folder), []);
  for (const date of dates.filter(isDatePrefix).sort())
    for (const encodedSession of (await sessionsOf(`${root}/${date}`)).filter(isEncodedSession).sort()) {
      const session = { datePrefix: date, encodedSession };
      const top = `${root}/${date}/${encodedSession}`;
      await walkSession(volume, session, top, blocked, isSidecar, folders);
    }
  return { path: root, folders, dotNames };
}

/** Adds a session's folder and those below it, level by level. @throws VolumeError */
export async function walkSession(
  volume: Volume,
  session: SessionRef,
  top: string,
  blocked: BlockedEntries,
  isSidecar: (name: string) => boolean,
  folders: SessionFolder[],
): Promise<void> {
  let level = [''];
  for (let depth = 0; level.length > 0; depth++) {
    const next: string[] = [];
    for (let at = 0; at < level.length; at += AT_ONCE) {
      const batch = level
        .slice(at, at + AT_ONCE)
        .map((below) => readFolder(volume, session, top, below, blocked, isSidecar));
      for (const folder of (await Promise.all(batch)).filter((read) => read !== null)) {
        folders.push(folder);
        if (depth < DEPTH_MAX) next.push(...folder.subFolders.map((name) => nameBelow(folder.below, name)));
        else for (const name of folder.subFolders) blocked.tooDeep(`${folder.path}/${name}`, DEPTH_MAX);
      }
    }
    level = next;
  }
}

/** The name below a session's folder of what is called so in one of its folders. */
export function nameBelow(below: string, name: string): string {
  return below === '' ? name : `${below}/${name}`;
}

/** Lists one folder. @returns null where it may not be listed: of what is not known whole nothing may be concluded */
async function readFolder(
  volume: Volume,
  session: SessionRef,
  top: string,
  below: string,
  blocked: BlockedEntries,
  isSidecar: (name: string) => boolean,
): Promise<SessionFolder | null> {
  const path = below === '' ? top : `${top}/${below}`;
  const folder: SessionFolder = {
    session,
    path,
    below,
    files: [],
    leftOvers: [],
    others: [],
    subFolders: [],
  };
  const untold: string[] = [];
  const sort = (name: string, kind: FileKind) => {
    if (removedFileName(name) !== undefined) folder.leftOvers.push(name);
    else if (name.startsWith('.')) folder.others.push(name);
    else if (kind === 'unknown') untold.push(name);
    else if (kind === 'directory') folder.subFolders.push(name);
    else if (isSidecar(name)) folder.others.push(name);
    else folder.files.push(nameBelow(below, name));
  };
  const listing = listed(volume, path, sort).then(async () => {
    // NFS may not tell what an entry is
    const looks = await lookAtMany(volume, path, untold);
    for (const [i, look] of looks.entries()) {
      const isFolder = look !== null && !(look instanceof Error) && look.kind === 'directory';
      sort(untold[i] ?? '', isFolder ? 'directory' : 'file');
    }
    return true;
  });
  if (!(await blocked.attempt(path, listing, false))) return null;
  return withQuarantinedFolders(folder);
}

/** What took a file's place before its claim may be a folder: in quarantine it is told by its reason, and not entered. */
function withQuarantinedFolders(folder: SessionFolder): SessionFolder {
  if (folder.subFolders.length === 0 || folder.others.length === 0) return folder;
  const others = new Set(folder.others);
  const isQuarantined = (name: string) =>
    others.has(reasonFileName(name)) || others.has(shortReasonFileName(name));
  const subFolders = folder.subFolders.filter((name) => !isQuarantined(name));
  const quarantined = folder.subFolders.filter(isQuarantined).map((name) => nameBelow(folder.below, name));
  return { ...folder, subFolders, files: [...folder.files, ...quarantined] };
}

/** Names of the folders in a folder. @throws VolumeError */
export async function folderNames(
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
