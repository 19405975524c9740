import { folderOf, millisecondsOf, VolumeError, type FileKind } from '@app/shared/domain';
import { isSameFolder, type FolderLook } from '@app/shared/files';
import type { BlockedEntries } from '../blocked-entries.js';
import { lookAtFolders, lookAtMany } from '../looks.js';
import type { ScannerParts } from '../parts.js';
import { FolderContent, type KnownFolder, type KnownFolders } from './known-folders.js';

/** Folders listed at once. */
const AT_ONCE = 4;
/**
 * A folder that was changed so lately is listed again: what came right after the listing might not show in its times, which
 * some file systems keep in steps of two seconds. Milliseconds.
 */
const QUIET_MS = 3_000;

/** Hears of each entry. `name` is its path below the drop folder. @returns whether it is a folder to be read */
export type Visit = (name: string, kind: FileKind, level: number) => boolean;

/** What a walk is made with. */
export interface Walk {
  readonly known: KnownFolders;
  readonly blocked: BlockedEntries;
  readonly visit: Visit;
  /** Hears of a folder that is never read, with the reason. */
  readonly ignore: (name: string, why: string) => void;
  /** Hears of an entry whose name is no UTF-8, by what it looks like. */
  readonly notUtf8: (name: string) => void;
}

/** An empty sub-folder. */
export interface EmptyFolder {
  /** Below the drop folder. */
  readonly path: string;
  readonly look: FolderLook;
}

/**
 * Reads the drop folder and the folders below it, level by level: each costs a look, and is listed only where that shows that
 * something came or went since the last time. Folders that are gone by now are passed over, and those that may not be read,
 * which are noted as blocked.
 *
 * @returns the empty ones
 * @throws VolumeError where the volume fails, or the drop folder itself is missing
 */
export async function walkTree(parts: ScannerParts, walk: Walk): Promise<EmptyFolder[]> {
  const empty: EmptyFolder[] = [];
  walk.known.begin();
  let paths = [''];
  for (let level = 0; paths.length > 0; level += 1) {
    const below: string[] = [];
    const read = (path: string, { content, look }: KnownFolder): void => {
      if (content.count === 0 && path !== '') empty.push({ path, look });
      visitAll(walk, path, content, level, below);
    };
    const changed: [path: string, look: FolderLook][] = [];
    const looks = await lookAtFolders(parts.volume, parts.layout.roots.incoming, paths);
    for (const [i, path] of paths.entries()) {
      const look = await orBlocked(parts, walk, path, looks[i] ?? null);
      if (look === null || isForeign(walk, path, look)) continue;
      const before = walk.known.before(path);
      if (before?.settled && isSameFolder(before.look, look)) {
        walk.known.keep(path, before);
        read(path, before);
      } else {
        // its place among the folders above those of the next level; what is in it is read below
        walk.known.keep(path, unread(look));
        changed.push([path, look]);
      }
    }
    for (let at = 0; at < changed.length; at += AT_ONCE)
      await Promise.all(
        changed.slice(at, at + AT_ONCE).map(async ([path, look]) => {
          const folder = await list(parts, walk, path, look);
          if (folder === null) return;
          walk.known.keep(path, folder);
          read(path, folder);
        }),
      );
    paths = below;
  }
  walk.known.end();
  return empty;
}

function visitAll(walk: Walk, path: string, content: FolderContent, level: number, below: string[]): void {
  const head = path === '' ? '' : `${path}/`;
  for (const [name, kind, garbled] of content) {
    if (name === null) walk.notUtf8(head + garbled);
    else if (walk.visit(head + name, kind, level)) below.push(head + name);
  }
}

/** The look at a folder, or null where it is to be passed over. @throws VolumeError */
async function orBlocked(
  parts: ScannerParts,
  { blocked }: Walk,
  path: string,
  look: FolderLook | null | VolumeError,
): Promise<FolderLook | null> {
  const whole = parts.layout.incoming(path);
  // an empty drop folder and a missing one are not the same
  if (look === null && path === '') throw new VolumeError('ENOENT', 'open', `${whole} is missing`);
  if (!(look instanceof VolumeError)) return look;
  if (path === '') throw look;
  return blocked.attempt(whole, Promise.reject(look), null);
}

/** Whether a folder cannot be read for where it lies: then it is ignored. */
function isForeign({ known, ignore }: Walk, path: string, look: FolderLook): boolean {
  const before = known.before(path)?.look;
  if (path === '' || (before && before.dev === look.dev && before.ino === look.ino)) return false;
  for (let above = path; above !== '';) {
    above = folderOf(above);
    const { dev, ino } = known.now(above)?.look ?? look;
    if (dev !== look.dev) {
      ignore(path, 'ignored: it is on another file system, and no file can be renamed from there');
      return true;
    }
    if (ino === look.ino && known.now(above)) {
      ignore(path, 'ignored: it is the same folder as one above it');
      return true;
    }
  }
  return false;
}

function unread(look: FolderLook): KnownFolder {
  return { look, since: 0, content: new FolderContent(), settled: false };
}

/** Lists a folder. @returns null where it is gone, or may not be listed @throws VolumeError */
async function list(
  parts: ScannerParts,
  { known, blocked }: Walk,
  path: string,
  look: FolderLook,
): Promise<KnownFolder | null> {
  const { volume, layout, clock } = parts;
  const { steadyMs, volumeMs } = clock.now();
  const before = known.before(path);
  const since = before && isSameFolder(before.look, look) ? before.since : steadyMs;
  const ageMs = volumeMs === null ? 0 : volumeMs - newestMs(look);
  const settled = known.showChanges && (ageMs >= QUIET_MS || steadyMs - since >= QUIET_MS);
  const content = new FolderContent();
  const whole = layout.incoming(path);
  const listing = volume.list(whole, (entries) => content.add(entries)).then(() => true);
  const listed = await blocked.attempt(whole, path === '' ? listing : listing.catch(unlessGone), false);
  if (!listed) return null;
  await learnKinds(parts, whole, content, before?.content);
  return { look, since, content, settled };
}

/** Looks at the entries of which the listing did not tell what they are, but for those that were plain files before. @throws VolumeError */
async function learnKinds(
  parts: ScannerParts,
  folder: string,
  content: FolderContent,
  before: FolderContent | undefined,
): Promise<void> {
  const unknown = content.unknown();
  if (unknown.length === 0) return;
  const kinds = new Map<string, FileKind>();
  for (const [name, kind] of before ?? []) if (name !== null && kind === 'file') kinds.set(name, kind);
  const names = unknown.filter((name) => !name.startsWith('.') && !kinds.has(name));
  const looks = await lookAtMany(parts.volume, folder, names);
  for (const [i, name] of names.entries()) {
    const look = looks[i];
    if (look && !(look instanceof Error)) kinds.set(name, look.kind);
  }
  content.learn(kinds);
}

function unlessGone(error: unknown): false {
  if (error instanceof VolumeError && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return false;
  throw error;
}

/** The later of a folder's times, milliseconds since 1970. */
export function newestMs({ mtimeNs, ctimeNs }: FolderLook): number {
  return millisecondsOf(mtimeNs > ctimeNs ? mtimeNs : ctimeNs);
}
