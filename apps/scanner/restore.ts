import { dirname } from 'node:path';
import { fileNameFault, parseSessionKey } from '@app/shared/domain';
import { mustLead, type ScannerParts } from './parts.js';

/** What came of it: back in the drop folder; none is kept; something has its name there; nothing is kept at all. */
export type Restored = 'restored' | 'unknown' | 'taken' | 'off';

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
  mustLead(parts);
  if (dirname(home) !== layout.roots.incoming) await volume.makeFolder(dirname(home));
  switch (await volume.renameToFree(kept, home)) {
    case 'renamed':
      log.info(
        { file: filename, session: session.encodedSession, date: session.datePrefix },
        'brought a kept file back to the drop folder',
      );
      return { result: 'restored' };
    case 'missing':
      return { result: 'unknown' };
    default:
      return { result: 'taken' };
  }
}
