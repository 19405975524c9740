import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { keepsChanging, type Difference, type FileLook, type Roots } from '../domain/index.js';
import type { Volume } from './volume.js';

/** Somebody took the probe away: that proves nothing. */
class Swept extends Error {}

/**
 * Finds out what a volume changes of a file that nobody writes to: at a rename only the change time may move, and between two
 * looks nothing. Where it does more, no source can be proved to be the one that was stored, and so none is removed.
 * Safe to repeat: the probe has a name of its own and is removed.
 *
 * @throws VolumeError
 */
export async function findRestless(volume: Volume, roots: Roots): Promise<Difference[]> {
  const name = `.sluice-probe-${randomBytes(6).toString('hex')}`;
  const [from, to] = [join(roots.incoming, name), join(roots.processing, name)];
  const lookAt = async (path: string): Promise<FileLook> =>
    (await volume.lookAnew(path)) ?? Promise.reject(new Swept());
  // the change time may move
  const lookRenamed = async (source: string, target: string) => {
    await volume.renameToFree(source, target);
    const { ino, size, mtimeNs } = await lookAt(target);
    return { ino, size, mtimeNs };
  };
  try {
    await volume.writeText(from, 'sluice');
    const looks = [await lookAt(from), await lookAt(from), await lookAt(from)] as const;
    const renamed = [await lookRenamed(from, to), await lookRenamed(to, from)] as const;
    return [...new Set([...keepsChanging(...looks), ...keepsChanging(looks[2], ...renamed)])];
  } catch (error) {
    if (error instanceof Swept) return [];
    throw error;
  } finally {
    for (const path of [from, to]) await volume.unlink(path).catch(() => false);
  }
}
