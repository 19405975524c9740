import { Dirent, opendirSync, readdirSync } from 'node:fs';
import { basename } from 'node:path';
import type { FileKind } from '../domain/identity.js';
import { kindOf } from './look.js';
import { Cancelled, type Served } from './serve.js';

/** Entries in a slice at most. */
export const SLICE_ENTRIES = 1_024;
/** Entries that Node asks for at once: as many stats may be wasted before {@link listTyped} sees them. More is not faster. */
const READ_ENTRIES = 32;
/** The kinds by their number in a slice. */
export const KINDS: readonly FileKind[] = [
  ...(['unknown', 'file', 'directory', 'symlink', 'fifo', 'socket', 'device'] as const),
];

/** A slice of a directory as it passes between threads: a text and a few bytes, no object an entry. */
export interface Slice {
  /** The names, joined by `/`, which no name holds; empty where the bytes are no UTF-8. */
  readonly names: string;
  /** An index into {@link KINDS} for each. */
  readonly kinds: Uint8Array;
  /** The bytes of the names that are no UTF-8, by index. */
  readonly raw: ReadonlyMap<number, Uint8Array>;
}

/** One entry of a directory. */
export interface Entry {
  /** Null where the bytes are not valid UTF-8. */
  readonly name: string | null;
  /** The name's bytes, only where `name` is null. */
  readonly raw?: Buffer;
  /** `unknown` where the file system does not tell (NFS often does not); a look tells then. */
  readonly kind: FileKind;
}

// a name is read as latin1, one character a byte: cheap, and nothing is lost before it is known to be UTF-8
const ENCODING = { encoding: 'latin1' } as const;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
// eslint-disable-next-line no-control-regex
const NOT_ASCII = /[^\x00-\x7f]/;
/** Folders whose file system was seen not to tell what its entries are. */
const untyped = new Set<string>();
/** So many of them at most: folders come and go, and one that is forgotten costs a stat. */
const UNTYPED_MOST = 10_000;

/**
 * Streams a folder's entries in the folder's own order.
 *
 * @throws Cancelled when the pool said so; system errors as they come.
 */
export async function list(folder: string, call: Served): Promise<void> {
  const sent: string[] = [];
  const send = async (names: string[], kinds: Uint8Array): Promise<void> => {
    if (names.length === 0) return;
    const joined = names.join('/');
    sent.push(joined);
    call.progress(sliceOf(joined, names, kinds));
    await call.room();
    if (call.cancelled) throw new Cancelled();
  };
  if (untyped.has(folder) || !(await listTyped(folder, send))) {
    if (untyped.size >= UNTYPED_MOST) untyped.clear();
    untyped.add(folder);
    await listNames(folder, new Set(sent.flatMap((joined) => joined.split('/'))), send);
  }
}

type Send = (names: string[], kinds: Uint8Array) => Promise<void>;

/**
 * Streams names and kinds.
 *
 * @returns false as soon as the file system does not tell a kind: Node then stats each such entry by itself, which on
 * NFS is a round trip each.
 */
async function listTyped(folder: string, send: Send): Promise<boolean> {
  const directory = opendirSync(folder, { ...ENCODING, bufferSize: READ_ENTRIES });
  try {
    for (;;) {
      const names: string[] = [];
      const kinds = new Uint8Array(SLICE_ENTRIES);
      while (names.length < SLICE_ENTRIES) {
        const entry = directory.readSync();
        if (!entry) break;
        if (Object.getPrototypeOf(entry) !== Dirent.prototype) return false;
        kinds[names.length] = KINDS.indexOf(kindOf(entry));
        names.push(entry.name);
      }
      await send(names, kinds.subarray(0, names.length));
      if (names.length < SLICE_ENTRIES) return true;
    }
  } catch (error) {
    // Node's own stat of an entry asks for a name of latin1 characters: none that is there, or one that is too long
    if ((error as NodeJS.ErrnoException).syscall === 'lstat') return false;
    throw error;
  } finally {
    directory.closeSync();
  }
}

async function listNames(folder: string, known: ReadonlySet<string>, send: Send): Promise<void> {
  const names = readdirSync(folder, ENCODING as never).filter((name) => !known.has(name));
  for (let index = 0; index < names.length; index += SLICE_ENTRIES) {
    const slice = names.slice(index, index + SLICE_ENTRIES);
    await send(slice, new Uint8Array(slice.length));
  }
}

function sliceOf(joined: string, names: readonly string[], kinds: Uint8Array): Slice {
  const raw = new Map<number, Uint8Array>();
  if (!NOT_ASCII.test(joined)) return { names: joined, kinds, raw };
  const decoded = names.map((name, index) => {
    if (!NOT_ASCII.test(name)) return name;
    const bytes = Buffer.from(name, 'latin1');
    try {
      return utf8.decode(bytes);
    } catch {
      raw.set(index, bytes);
      return '';
    }
  });
  return { names: decoded.join('/'), kinds, raw };
}

/** A slice's entries, on the other side. */
export function entriesOf(slice: Slice): Entry[] {
  return slice.names.split('/').map((name, index) => {
    const kind = KINDS[slice.kinds[index] ?? 0] ?? 'unknown';
    const raw = name === '' ? slice.raw.get(index) : undefined;
    return raw ? { name: null, raw: Buffer.from(raw), kind } : { name, kind };
  });
}

/** How a path is called in a message: its last name. */
export function subjectOf(path: string): string {
  return basename(path) || path;
}
