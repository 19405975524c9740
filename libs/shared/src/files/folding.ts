import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { VolumeError, type Roots } from '../domain/index.js';
import type { Volume } from './volume.js';

/** What a volume does not tell names apart by. */
export type Folding = 'case' | 'Unicode form';

/** A name's end as it is written, and the same folded in one way. */
const PROBES: readonly { readonly written: string; readonly asked: string; readonly folding: Folding }[] = [
  { written: 'aB', asked: 'Ab', folding: 'case' },
  { written: '\u00e9', asked: 'e\u0301', folding: 'Unicode form' },
  { written: 'e\u0301', asked: '\u00e9', folding: 'Unicode form' },
];
/** How volumes refuse a name that is not of their alphabet: then they cannot fold it either. */
const NOT_A_NAME = new Set(['EILSEQ', 'EINVAL', 'ENOENT']);

/**
 * Finds out whether the volume folds names, by probe files that are asked for under another spelling. Each root is asked,
 * since ext4 folds by folder. Safe to repeat: the probes have names of their own and are removed.
 *
 * @throws VolumeError
 */
export async function findFoldings(volume: Volume, roots: Roots): Promise<Folding[]> {
  const found = new Set<Folding>();
  for (const root of [roots.incoming, roots.processing, roots.failed])
    for (const { written, asked, folding } of PROBES) {
      if (found.has(folding)) continue;
      const probe = join(root, `.sluice-probe-${randomBytes(6).toString('hex')}-`);
      if (await isFoundAs(volume, probe + written, probe + asked)) found.add(folding);
    }
  return [...found];
}

async function isFoundAs(volume: Volume, written: string, asked: string): Promise<boolean> {
  try {
    await volume.writeText(written, 'sluice');
    return (await volume.lstat(asked)) !== null;
  } catch (error) {
    if (error instanceof VolumeError && NOT_A_NAME.has(error.code)) return false;
    throw error;
  } finally {
    await volume.unlink(written).catch(() => false);
  }
}
