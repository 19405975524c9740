import { dirname } from 'node:path';
import type { BlockedEntries } from '../blocked-entries.js';
import { mustLead, type ScannerParts } from '../parts.js';
import { newestMs, type EmptyFolder } from './walk-tree.js';

/** Folders removed in one scan at most, so that files do not wait for it. */
const MOST = 500;
/** Folders that may not be removed, after which the others of their parent are not tried in this scan. */
const REFUSALS = 16;

/**
 * Removes sub-folders that have been empty and unchanged for `APP_EMPTY_FOLDER_AGE_S`, by the clock of the volume: a producer
 * that has just made one is about to write into it. Each is looked at again right before, and one that holds anything by then
 * does not let itself be removed.
 *
 * @throws VolumeError; LeaseLost
 */
export async function removeEmptyFolders(
  parts: ScannerParts,
  folders: readonly EmptyFolder[],
  blocked: BlockedEntries,
): Promise<void> {
  const { emptyFolderAgeMs } = parts.rules;
  const { volumeMs } = parts.clock.now();
  // without the volume's clock nobody knows how old a folder is
  if (emptyFolderAgeMs === 0 || volumeMs === null) return;
  const old = folders.filter(({ look }) => volumeMs - newestMs(look) >= emptyFolderAgeMs);
  let removals = 0;
  const refusals = new Map<string, number>();
  for (const { path, look } of old) {
    const whole = parts.layout.incoming(path);
    const parent = dirname(whole);
    const refused = refusals.get(parent) ?? 0;
    if (refused >= REFUSALS) continue;
    mustLead(parts);
    const removed = await blocked.attempt(whole, parts.volume.removeOldFolder(whole, look), false);
    if (!removed) {
      if (blocked.has(whole)) refusals.set(parent, refused + 1);
      continue;
    }
    parts.log.debug(`removed ${whole}, which was empty for APP_EMPTY_FOLDER_AGE_S`);
    if (++removals === MOST) return;
  }
}
