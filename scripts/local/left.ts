import { lstatSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { inUnits } from './show.js';

/** The last line: what was still under way, and how much disk the folder takes. */
export function whatIsLeft(root: string): string {
  const waiting = filesBelow(join(root, 'nfs/incoming')).count;
  const claimed = filesBelow(join(root, 'nfs/.processing')).count;
  const failed = filesBelow(join(root, 'nfs/.failed')).count;
  const left = [
    ...(claimed > 0 ? [`${claimed} under way`] : []),
    ...(waiting > 0 ? [`${waiting} in the drop folder`] : []),
    ...(failed > 0 ? [`${failed} quarantined`] : []),
  ];
  const files =
    left.length === 0 ? 'nothing was left to move' : `left for the next start: ${left.join(', ')}`;
  const { bytes } = filesBelow(root, true);
  return `stopped; ${files}. ${relative('.', root) || root} takes ${inUnits(bytes)}; remove it to begin anew`;
}

/** Files below a folder; without `all` only those that people dropped, which no dot name is. */
function filesBelow(folder: string, all = false): { count: number; bytes: number } {
  const sum = { count: 0, bytes: 0 };
  for (const entry of entriesOf(folder)) {
    if (!all && entry.name.startsWith('.')) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      const below = filesBelow(path, all);
      sum.count += below.count;
      sum.bytes += below.bytes;
    } else {
      sum.count += 1;
      sum.bytes += lstatSync(path, { throwIfNoEntry: false })?.size ?? 0;
    }
  }
  return sum;
}

function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return []; // removed in this moment
  }
}
