import { isReserved, type FileKind } from '@app/shared/domain';
import type { Entries } from './entries.js';
import type { ScannerParts } from './parts.js';
import type { ScanMemory } from './scan-memory.js';
import type { ScanWindow } from './scan-window.js';
import type { Stopping } from './stopping.js';

/** Names of one listing that are remembered for more than a count. */
const REMEMBERED = 1_000;
const TOO_LATE =
  'settling: the session stops and takes only what stood here when it was told to; start one with POST /v1/watch/start';

/** What a listing of the drop folder found beside the window's names. */
export interface Listing {
  /** Entries in the folder. */
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
}

/**
 * Lists the drop folder, a slice at a time: what is never taken is counted with its reason, what is with the queue or
 * has a namesake in a session's folder is set apart, and the rest is offered to the window; while the session stops, only
 * what it still takes.
 *
 * @throws VolumeError
 */
export async function listDropFolder(
  parts: ScannerParts,
  memory: ScanMemory,
  window: ScanWindow,
  entries: Entries,
  stopping: Stopping | null,
): Promise<Listing> {
  const enqueued = new Set<string>();
  const standing: string[] = [];
  const ownNames: string[] = [];
  const namesakes: string[] = [];
  let [seen, standingCount, namesakeCount, late] = [0, 0, 0, 0];
  const sort = (name: string, kind: FileKind): void => {
    if (name.startsWith('.')) {
      entries.note(name, 'ignored', 'ignored: its name begins with a dot');
      if (isReserved(name) && ownNames.length < REMEMBERED) ownNames.push(name);
    } else if (kind !== 'file' && kind !== 'unknown') entries.note(name, 'ignored', ignoredKind(kind));
    else if (parts.rules.ignored(name))
      entries.note(name, 'ignored', 'ignored: APP_IGNORE_PATTERNS lists it');
    else sortFile(name, stopping?.takes(name) ?? true);
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
  await parts.volume.list(parts.layout.roots.incoming, (slice) => {
    seen += slice.length;
    for (const { name, raw, kind } of slice) {
      if (name !== null) sort(name, kind);
      else entries.note(raw?.toString('utf8') ?? '\ufffd', 'ignored', 'ignored: its name is not valid UTF-8');
    }
  });
  memory.ownNames = ownNames;
  return { seen, enqueued, standing, standingCount, namesakes, namesakeCount };
}

/** Why an entry of this kind is not taken. */
export function ignoredKind(kind: FileKind): string {
  return kind === 'directory'
    ? 'ignored: it is a folder; only files directly in the drop folder are taken'
    : `ignored: it is a ${kind}, not a plain file`;
}
