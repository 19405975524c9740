import { fileNameFault, folderOf, parseSessionKey, VolumeError } from '@app/shared/domain';
import { foldersAbove } from './namesakes.js';
import { mustLead, type ScannerParts } from './parts.js';

/** How often a folder is made anew that somebody removes meanwhile, since it was empty. */
const TRIES = 3;

/**
 * What came of it: back in the drop folder; none is kept; something has its name there, or that of a folder on the way; a
 * symlink has that of a folder on the way, and may lead anywhere; nothing is kept at all.
 */
export type Restored = 'restored' | 'unknown' | 'taken' | 'symlink' | 'off';

/**
 * Answers the question `restore`: brings a kept source back to the drop folder under its name, never over another. Its times
 * stay; it is taken like any file that is dropped.
 *
 * @throws Error for a question that cannot be read; VolumeError, LeaseLost
 */
export async function restore(
  parts: ScannerParts,
  data: Readonly<Record<string, unknown>>,
): Promise<{ result: Restored }> {
  const session = parseSessionKey(typeof data.session === 'string' ? data.session : '');
  const { filename } = data;
  if (!session || typeof filename !== 'string' || fileNameFault(filename) !== null)
    throw new Error('the question cannot be read; run one release everywhere');
  const { layout, volume, log } = parts;
  const kept = layout.done(session, filename);
  if (kept === null) return { result: 'off' };
  const look = await volume.lookExactly(kept, null);
  if (look === null || look === 'namesake' || look.kind !== 'file') return { result: 'unknown' };
  const home = layout.incoming(filename);
  for (let tries = 0; tries < TRIES; tries++) {
    const onTheWay = await obstacle(parts, filename);
    if (onTheWay !== null) return { result: onTheWay };
    mustLead(parts);
    const renamed = await volume.renameToFree(kept, home);
    if (renamed === 'renamed') {
      log.info(
        { file: filename, session: session.encodedSession, date: session.datePrefix },
        'brought a kept file back to the drop folder',
      );
      return { result: 'restored' };
    }
    if (renamed !== 'missing') return { result: 'taken' };
    // its folder may have gone again, since it was empty
    if ((await volume.lstat(kept)) === null) return { result: 'unknown' };
  }
  return { result: 'taken' };
}

/** Makes the folders of a file in the drop folder. @returns what stands in the way; null where nothing does */
async function obstacle(
  { layout, volume }: ScannerParts,
  filename: string,
): Promise<'taken' | 'symlink' | null> {
  const folder = folderOf(filename);
  if (folder === '') return null;
  for (const above of foldersAbove(filename)) {
    const kind = (await volume.lstat(layout.incoming(above)))?.kind ?? 'directory';
    if (kind !== 'directory') return kind === 'symlink' ? kind : 'taken';
  }
  try {
    await volume.makeFolder(layout.incoming(folder));
    return null;
  } catch (error) {
    if (error instanceof VolumeError && error.code === 'ENOTDIR') return 'taken';
    throw error;
  }
}
