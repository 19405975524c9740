import { fileNameFault, isReserved, lastPart, type FileKind } from '@app/shared/domain';
import type { BlockedEntries } from './blocked-entries.js';
import type { Entries } from './entries.js';
import type { ScannerParts } from './parts.js';
import type { ScanMemory } from './scan-memory.js';
import type { ScanWindow } from './scan-window.js';
import type { Sidecars } from './sidecars.js';
import type { Stopping } from './stopping.js';
import { walkTree, type EmptyFolder } from './tree/walk-tree.js';

/** No path is refused for its length that has no more UTF-16 units. */
const SHORT = 250;
/** Names of one listing that are remembered for more than a count. */
const REMEMBERED = 1_000;
const TOO_LATE =
  'settling: the session stops and takes only what stood here when it was told to; start one with POST /v1/watch/start';

/** What a listing of the drop folder found beside the window's names. */
export interface Listing {
  /** Entries in the folder, and in those below it that are read. */
  readonly seen: number;
  /** Names that are with the queue already. */
  readonly enqueued: ReadonlySet<string>;
  /** Names of which a file stands in a session's folder; the first of them. */
  readonly standing: readonly string[];
  /** How many of those there are. */
  readonly standingCount: number;
  /** Names that the volume takes for others, which are not through; the first of them. */
  readonly namesakes: readonly string[];
  /** How many of those there are. */
  readonly namesakeCount: number;
  /** Sub-folders that hold nothing. */
  readonly empty: readonly EmptyFolder[];
  /** Files that came after the session was told to stop once through: they are for the next one. */
  readonly late: number;
}

/**
 * Lists the drop folder, a slice at a time, and the folders below it that `APP_SCAN_DEPTH` allows: what is never taken is
 * counted with its reason, what is with the queue or has a namesake in a session's folder is set apart, and the rest is
 * offered to the window; while the session stops, only what it still takes.
 *
 * @throws VolumeError
 */
export async function listDropFolder(
  parts: ScannerParts,
  memory: ScanMemory,
  window: Pick<ScanWindow, 'offer'>,
  entries: Entries,
  stopping: Stopping | null,
  sidecars: Sidecars,
  blocked: BlockedEntries,
): Promise<Listing> {
  const { scanDepth, ignored } = parts.rules;
  const enqueued = new Set<string>();
  const standing: string[] = [];
  const ownNames: string[] = [];
  const namesakes: string[] = [];
  let [seen, standingCount, namesakeCount, late] = [0, 0, 0, 0];
  /** @returns whether it is a folder to be read */
  const sort = (name: string, kind: FileKind, level: number): boolean => {
    const isFolder = kind === 'directory' && scanDepth > 0;
    seen += 1;
    if ((level === 0 ? name : lastPart(name)).startsWith('.')) {
      entries.note(name, 'ignored', 'ignored: its name begins with a dot');
      if (isReserved(name) && ownNames.length < REMEMBERED) ownNames.push(name);
    } else if (!isFolder && kind !== 'file' && kind !== 'unknown') {
      entries.note(name, 'ignored', ignoredKind(kind));
      // its file waits until a plain one is there
      if (kind === 'symlink') sidecars.offer(name);
    } else if (ignored(name)) entries.note(name, 'ignored', 'ignored: APP_IGNORE_PATTERNS lists it');
    else if (isFolder && level >= scanDepth) entries.note(name, 'ignored', tooDeep(scanDepth));
    else if (isFolder) {
      seen -= 1;
      return true;
    } else if (name.length > SHORT && fileNameFault(name) !== null)
      entries.note(name, 'ignored', `ignored: ${fileNameFault(name)}`);
    // what has a job is a file of its own, whatever was set since
    else if (memory.enqueued.has(name) || !sidecars.offer(name))
      sortFile(name, stopping?.takes(name) ?? true);
    return false;
  };
  const sortFile = (name: string, taken: boolean): void => {
    if (memory.standing.has(name)) {
      standingCount += 1;
      if (standing.length < REMEMBERED) standing.push(name);
    } else if (memory.enqueued.has(name)) enqueued.add(name);
    else if (memory.namesakes.of(name).length > 0) {
      namesakeCount += 1;
      if (namesakes.length < REMEMBERED) namesakes.push(name);
    } else if (taken) window.offer(name);
    else {
      late += 1;
      if (late <= REMEMBERED) entries.note(name, 'settling', TOO_LATE);
      else entries.counts.settling += 1;
    }
  };
  const ignore = (name: string, why: string): void => {
    seen += 1;
    entries.note(name, 'ignored', why);
  };
  const notUtf8 = (name: string): void => ignore(name, 'ignored: its name is not valid UTF-8');
  let empty: readonly EmptyFolder[] = [];
  if (scanDepth > 0)
    empty = await walkTree(parts, { known: memory.folders, blocked, visit: sort, ignore, notUtf8 });
  else
    await parts.volume.list(parts.layout.roots.incoming, (slice) => {
      for (const { name, raw, kind } of slice) {
        if (name !== null) sort(name, kind, 0);
        else notUtf8(raw?.toString('utf8') ?? '\ufffd');
      }
    });
  memory.ownNames = ownNames;
  return { seen, enqueued, standing, standingCount, namesakes, namesakeCount, empty, late };
}

function tooDeep(scanDepth: number): string {
  const levels = scanDepth === 1 ? '1 level' : `${scanDepth} levels`;
  return `ignored: it is a folder below the ${levels} that APP_SCAN_DEPTH allows`;
}

/** Why an entry of this kind is not taken. */
export function ignoredKind(kind: FileKind): string {
  return kind === 'directory'
    ? 'ignored: it is a folder; only files directly in the drop folder are taken'
    : `ignored: it is a ${kind}, not a plain file`;
}
