import { sessionKey } from '@app/shared/domain';
import type { BlockedEntries } from './blocked-entries.js';
import { mustLead, type ScannerParts } from './parts.js';
import type { SessionFolder } from './walk.js';

/** Sessions read per round trip. */
const BATCH = 500;

/**
 * Removes folders in which nothing stands but folders of that kind, the deepest first: all of a session that is finished or
 * that Redis knows nothing of, and else those below a session's folder that were so in the last pass too. An uploader that
 * is about to rename a file into one makes it again.
 *
 * @param folders each before those below it
 * @param before paths that the last pass found so
 * @returns the paths that this pass found so, and left
 * @throws VolumeError; LeaseLost
 */
export async function removeEmptyFolders(
  parts: ScannerParts,
  folders: readonly SessionFolder[],
  before: ReadonlySet<string>,
  blocked: BlockedEntries,
): Promise<ReadonlySet<string>> {
  const empty = emptyFolders(folders);
  const over = await sessionsThatAreOver(parts, empty);
  const left = new Set<string>();
  for (const { path, below, session } of empty) {
    const isOver = over.has(sessionKey(session));
    if (!isOver && (below === '' || !before.has(path))) {
      if (below !== '') left.add(path);
      continue;
    }
    mustLead(parts);
    const removed = await blocked.attempt(path, parts.volume.removeEmptyFolder(path), false);
    const date = path.slice(0, path.lastIndexOf('/'));
    if (removed && below === '') await blocked.attempt(date, parts.volume.removeEmptyFolder(date), false);
  }
  return left;
}

/** Those in which nothing stands but others of them, the deepest first. */
function emptyFolders(folders: readonly SessionFolder[]): SessionFolder[] {
  const paths = new Set<string>();
  return folders.toReversed().filter(({ path, files, leftOvers, others, subFolders }) => {
    const isEmpty =
      files.length + leftOvers.length + others.length === 0 &&
      subFolders.every((name) => paths.has(`${path}/${name}`));
    if (isEmpty) paths.add(path);
    return isEmpty;
  });
}

/** Keys of those folders' sessions that are finished, or that Redis knows nothing of. */
async function sessionsThatAreOver(
  parts: ScannerParts,
  folders: readonly SessionFolder[],
): Promise<ReadonlySet<string>> {
  const over = new Set(folders.map(({ session }) => sessionKey(session)));
  const keys = [...over];
  for (let at = 0; at < keys.length; at += BATCH)
    for (const record of await parts.sessions.read(keys.slice(at, at + BATCH)))
      if (record.state !== 'finished') over.delete(sessionKey(record));
  return over;
}
