import { KINDS, type Entry, type FolderLook } from '@app/shared/files';
import type { FileKind } from '@app/shared/domain';

/** Most characters of names that are remembered; folders beyond are listed in every scan. */
const REMEMBERED_MOST = 32 * 1024 * 1024;

/** What stands in a folder, kept small: texts and bytes, no object an entry. */
export class FolderContent {
  /** The names, joined by `/`, which no name holds. */
  private names = '';
  private kinds = new Uint8Array(0);
  /** What names that are no UTF-8 look like. */
  private readonly garbled: string[] = [];

  /** Adds entries as a listing brings them. */
  add(entries: readonly Entry[]): void {
    const named = entries.filter(({ name }) => name !== null);
    for (const { name, raw } of entries)
      if (name === null) this.garbled.push(raw?.toString('utf8') ?? '\ufffd');
    if (named.length === 0) return;
    const joined = named.map(({ name }) => name).join('/');
    const kinds = new Uint8Array(this.kinds.length + named.length);
    kinds.set(this.kinds);
    for (const [i, { kind }] of named.entries()) kinds[this.kinds.length + i] = KINDS.indexOf(kind);
    this.names = this.kinds.length === 0 ? joined : `${this.names}/${joined}`;
    this.kinds = kinds;
  }

  /** Entries of any kind, dot names included. */
  get count(): number {
    return this.kinds.length + this.garbled.length;
  }

  /** How much is remembered, in characters. */
  get size(): number {
    return this.names.length + this.kinds.length;
  }

  /** Every entry; a name of null has the look of what is no UTF-8 beside it. */
  *[Symbol.iterator](): Generator<readonly [name: string | null, kind: FileKind, garbled: string]> {
    if (this.kinds.length > 0)
      for (const [i, name] of this.names.split('/').entries())
        yield [name, KINDS[this.kinds[i] ?? 0] ?? 'unknown', ''];
    for (const garbled of this.garbled) yield [null, 'unknown', garbled];
  }

  /** The names of which the listing did not tell what they are. */
  unknown(): string[] {
    return [...this].flatMap(([name, kind]) => (name !== null && kind === 'unknown' ? [name] : []));
  }

  /** Learns what entries are; those that are not named stay as they were. */
  learn(kinds: ReadonlyMap<string, FileKind>): void {
    for (const [i, name] of this.names.split('/').entries()) {
      const kind = kinds.get(name);
      if (kind !== undefined && i < this.kinds.length) this.kinds[i] = KINDS.indexOf(kind);
    }
  }
}

/** What is remembered of a folder. */
export interface KnownFolder {
  readonly look: FolderLook;
  /** When it was first seen like this, milliseconds of a clock that never jumps. */
  readonly since: number;
  readonly content: FolderContent;
  /** Whether what has come since it was listed would show in its times. */
  readonly settled: boolean;
}

/** The folders of the tree, by path below the drop folder, as the last scan found them; a cache. */
export class KnownFolders {
  /** Whether this volume's folders are known to show by their times what came and went; else each is listed in every scan. */
  showChanges = false;
  private last = new Map<string, KnownFolder>();
  private next = new Map<string, KnownFolder>();
  private size = 0;

  /** Begins with what another walk of the same tree found last; a doubt holds for both. */
  startFrom(other: KnownFolders): void {
    this.last = other.last;
    this.showChanges = other.showChanges;
  }

  /** A scan begins: what it does not keep is forgotten when it has ended. */
  begin(): void {
    this.next = new Map();
    this.size = 0;
  }

  /** What the last scan found. */
  before(path: string): KnownFolder | undefined {
    return this.last.get(path);
  }

  /** What this scan found; undefined for a folder that it has not come to. */
  now(path: string): KnownFolder | undefined {
    return this.next.get(path);
  }

  /** This scan has come to a folder. */
  keep(path: string, folder: KnownFolder): void {
    this.size += folder.content.size;
    const fits = this.size <= REMEMBERED_MOST;
    this.next.set(path, fits ? folder : { ...folder, content: new FolderContent(), settled: false });
  }

  /** The scan has ended. */
  end(): void {
    this.last = this.next;
  }

  /** Something in a folder is not what was remembered: it is listed again. */
  doubt(path: string): void {
    this.last.delete(path);
  }

  /** Forgets everything. */
  clear(): void {
    this.last = new Map();
  }
}
