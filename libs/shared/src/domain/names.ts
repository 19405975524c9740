import { createHash } from 'node:crypto';
import { hasControlCharacter, percentEncode } from './text.js';
import { sessionKey, type SessionRef } from './session.js';

/** The most bytes a file name has on Linux and NFS. */
export const NAME_MAX_BYTES = 255;
/** The most characters a blob name has: https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata */
export const BLOB_NAME_MAX_CHARACTERS = 1024;
/** The most path segments a blob name has; from the same page. */
export const BLOB_NAME_MAX_SEGMENTS = 254;
/** The most levels of sub-folders that a file may stand below the drop folder; contract section 6. */
export const DEPTH_MAX = 16;
/**
 * The most bytes of a file's path below the drop folder. A blob name of 1,024 characters has no more, and with the roots
 * and the names that Sluice puts beside a file it stays below the 4,096 bytes that Linux takes for a path.
 */
export const PATH_MAX_BYTES = 3072;
/** Sluice's own entries under `<processing>`; every name that begins with `.sluice` is reserved. */
export const VOLUME_FILE = '.sluice-volume';
/** The active session, kept on the volume so that it outlives Redis. */
export const SESSION_FILE = '.sluice-session';
/** What stood in the drop folder when the session was told to stop once through; written by the scanner alone. */
export const STOPPING_FILE = '.sluice-stopping';
/** What the names of files begin with whose removal has begun. */
const REMOVING = '.sluice-removing-';
const SIDE_NOTE = '.sluice-name-';
const OLDER = '.sluice-older-';
const LEFT_OVER = new RegExp(`^\\${REMOVING}([0-9a-f]{8})(?:\\.(.+)|~[0-9a-f]{14})$`, 's');

/**
 * Why a text cannot be the name of a dropped file, or null where it can: the path below the drop folder, with `/` between
 * at most 17 parts. Job data is never trusted: whatever passes here names an entry below a folder and nothing else, and no
 * part of it is hidden or reserved.
 */
export function fileNameFault(name: string): string | null {
  if (name === '') return 'the name is empty';
  if (!name.isWellFormed()) return 'the name is not valid Unicode';
  if (name.includes('\0')) return 'the name holds a NUL';
  const parts = name.split('/');
  if (parts.length > DEPTH_MAX + 1) return `the name has more than ${DEPTH_MAX} folders`;
  if (parts.includes(''))
    return 'a part of the name is empty: a slash begins it, ends it, or follows another';
  if (parts.some((part) => part.startsWith('.'))) return 'the name, or a part of it, begins with a dot';
  if (parts.some((part) => Buffer.byteLength(part) > NAME_MAX_BYTES))
    return `the name, or a part of it, has more than ${NAME_MAX_BYTES} bytes`;
  if (Buffer.byteLength(name) > PATH_MAX_BYTES) return `the name has more than ${PATH_MAX_BYTES} bytes`;
  return null;
}

/** The folder of a file below its root, from the file's name: `a/b` of `a/b/x.bin`, empty for a file directly in it. */
export function folderOf(filename: string): string {
  return filename.slice(0, Math.max(0, filename.lastIndexOf('/')));
}

/** What a file is called in its folder: `x.bin` of `a/b/x.bin`. */
export function lastPart(filename: string): string {
  return filename.slice(filename.lastIndexOf('/') + 1);
}

/**
 * What any volume that folds names may take a name for: case, Unicode form and compatibility folded. It folds more than any
 * one volume does, since a name that waits without need is harmless, and two that are renamed onto each other are not.
 */
export function foldedName(name: string): string {
  return name.normalize('NFKD').toUpperCase().toLowerCase().normalize('NFKD');
}

/** The blob's name: `<date>/<encoded_session>/<filename>`, literally; a path stays one. */
export function blobName(session: SessionRef, filename: string): string {
  return `${sessionKey(session)}/${filename}`;
}

/**
 * Why Azure cannot hold this blob name faithfully, or null where it can: it would be changed on the way (`\` becomes
 * `/`, `a/../b` becomes `b`), break every listing of the container (control characters) or be refused.
 */
export function blobNameFault(name: string): string | null {
  const segments = name.split('/');
  if (segments.some((segment) => segment === '.' || segment === '..'))
    return 'a part of it is "." or "..", which is resolved on the way to Azure';
  if (name.endsWith('.')) return 'it ends in a dot, which Azure strips';
  if (segments.some((segment) => segment.endsWith('.')))
    return 'a part of it ends in a dot, which Azure strips';
  if (name.includes('\\')) return 'it holds a backslash, which Azure turns into a slash';
  // U+FFFE and U+FFFF are no controls, but the XML of a listing cannot hold them either
  if (hasControlCharacter(name) || /[\ufffe\uffff]/.test(name))
    return 'it holds a control character, which breaks every listing of the container';
  if (name.length > BLOB_NAME_MAX_CHARACTERS)
    return `it has more than ${BLOB_NAME_MAX_CHARACTERS} characters`;
  if (segments.length > BLOB_NAME_MAX_SEGMENTS)
    return `it has more than ${BLOB_NAME_MAX_SEGMENTS} parts between slashes`;
  return null;
}

/**
 * The job id of a file name: `f-` and the name, percent-encoded. BullMQ refuses `:` and integers, and ids such as
 * `meta` collide with its own keys.
 */
export function jobId(filename: string): string {
  return `f-${percentEncode(filename)}`;
}

/**
 * What the file beside a quarantined one is called that says why: `.<last part>.error.json`, cut where it would pass 255
 * bytes. As with every name of this protocol below, it stands in the folder of the file itself.
 */
export function reasonFileName(filename: string): string {
  return fitted('.', lastPart(filename), '.error.json');
}

/**
 * The name of a reason on a volume that finds {@link reasonFileName} too long: 37 bytes. Two dots, since no file's name
 * begins with one: so it never is the other name of another file.
 */
export function shortReasonFileName(filename: string): string {
  return `..${digestOf(lastPart(filename)).slice(0, 24)}.error.json`;
}

/**
 * The dot name under which a source waits for its removal. `token` is 8 hex digits, new in each attempt, so that a
 * worker that slept can never unlink what another one renamed.
 */
export function removingName(filename: string, token: string): string {
  return fitted(`${REMOVING}${token}.`, lastPart(filename), '');
}

/**
 * The dot name for a removal on a volume that finds {@link removingName} too long (eCryptfs takes 143 bytes): 40 bytes.
 * The file's own name then stands in a side note, see {@link sideNoteName}.
 */
export function shortRemovingName(filename: string, token: string): string {
  return `${REMOVING}${token}~${digestOf(lastPart(filename)).slice(0, 14)}`;
}

/**
 * The dot name of a kept source for which `<done>` has no room under its own name: an older drop of the name, or one whose name
 * is a folder's there. At most 143 bytes, which the narrowest volumes take.
 *
 * @param token 8 hex digits, new in each attempt
 */
export function olderName(filename: string, token: string): string {
  return fitted(`${OLDER}${token}.`, lastPart(filename), '', 143);
}

/** The file beside a left-over whose dot name does not hold the whole name: it holds it. */
export function sideNoteName(token: string): string {
  return `${SIDE_NOTE}${token}`;
}

/** The token of a side note, or null where an entry is none. */
export function sideNoteToken(entry: string): string | null {
  return entry.startsWith(SIDE_NOTE) ? entry.slice(SIDE_NOTE.length) : null;
}

/** The token of a left-over of a removal, or null where an entry is none. */
export function removingToken(entry: string): string | null {
  return LEFT_OVER.exec(entry)?.[1] ?? null;
}

/** Whether an entry of a file's folder is a left-over of a removal of this very file (of any attempt). */
export function isRemovingNameOf(entry: string, filename: string): boolean {
  const token = removingToken(entry);
  return (
    token !== null && [removingName(filename, token), shortRemovingName(filename, token)].includes(entry)
  );
}

/**
 * What a left-over of a removal was called: the last part of its file name, or (where that did not fit) null: then its side note tells, or
 * {@link isRemovingNameOf}. Undefined where the entry is no such left-over.
 */
export function removedFileName(entry: string): string | null | undefined {
  const match = LEFT_OVER.exec(entry);
  if (!match) return undefined;
  if (match[2] === undefined) return null;
  return /~[0-9a-f]{16}$/.test(match[2]) && Buffer.byteLength(entry) > NAME_MAX_BYTES - 4 ? null : match[2];
}

/** `head + name + tail`; where that passes the most bytes the name is cut and ends in `~` and 16 hex of its SHA-256. */
function fitted(head: string, name: string, tail: string, most = NAME_MAX_BYTES): string {
  const whole = head + name + tail;
  if (Buffer.byteLength(whole) <= most) return whole;
  const digest = digestOf(name).slice(0, 16);
  let room = most - Buffer.byteLength(head + tail) - 17;
  let kept = '';
  for (const character of name) {
    room -= Buffer.byteLength(character);
    if (room < 0) break;
    kept += character;
  }
  return `${head}${kept}~${digest}${tail}`;
}

function digestOf(name: string): string {
  return createHash('sha256').update(name).digest('hex');
}
