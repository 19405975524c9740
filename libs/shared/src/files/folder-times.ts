import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Roots } from '../domain/index.js';
import { isSameFolder } from './look.js';
import { steadyMs } from './moment.js';
import type { Volume } from './volume.js';

/** Times may be kept in steps of two seconds; milliseconds. */
const STEP_MS = 2_500;
/** Between two entries that are made; milliseconds. */
const EVERY_MS = 100;

/**
 * Finds out whether a folder's times show that an entry came into it, as POSIX wants; some FUSE file systems keep none. Where
 * they do not, a folder must be listed to know what is in it. Safe to repeat: the probe is made, and removed, by its one name.
 *
 * @throws VolumeError
 */
export async function foldersShowChanges(volume: Volume, roots: Roots): Promise<boolean> {
  const folder = join(roots.incoming, '.sluice-probe-folder');
  const entry = join(folder, 'entry');
  const look = async () => (await volume.lookAtFolders(folder, ['']))[0] ?? null;
  try {
    await volume.makeFolder(folder);
    const before = await look();
    for (const end = steadyMs() + STEP_MS; steadyMs() < end; await pause(EVERY_MS)) {
      await volume.writeText(entry, 'sluice');
      const after = await look();
      if (before instanceof Error || after instanceof Error) return false;
      if (before && after && !isSameFolder(before, after)) return true;
    }
    return false;
  } finally {
    await volume.unlink(entry).catch(() => false);
    await volume.removeEmptyFolder(folder).catch(() => false);
  }
}
