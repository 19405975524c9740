import { hasControlCharacter, isReserved, percentDecode, percentEncode } from './text.js';

/** The most bytes an encoded session may have; contract section 3. */
export const SESSION_MAX_BYTES = 200;

/** A session name that cannot be used; the message says what to change. */
export class InvalidSessionName extends Error {
  override readonly name = 'InvalidSessionName';
}

/** Where a session's files go: `<datePrefix>/<encodedSession>` in folders and blob names alike. */
export interface SessionRef {
  /** UTC day at session start, `YYYYMMDD`. */
  readonly datePrefix: string;
  /** The session's name, percent-encoded; 1..200 bytes of ASCII. */
  readonly encodedSession: string;
}

/**
 * Encodes a session name for folder and blob names.
 *
 * @throws InvalidSessionName when it is over 200 bytes encoded, holds control characters or lone surrogates, is
 * empty, or begins with `.sluice`.
 */
export function encodeSession(name: string): string {
  if (!name.isWellFormed())
    throw new InvalidSessionName('session_name holds a lone surrogate, which no file name can hold');
  if (hasControlCharacter(name))
    throw new InvalidSessionName('session_name holds a control character; remove it');
  if (name === '') throw new InvalidSessionName('session_name is empty');
  if (isReserved(name)) throw new InvalidSessionName('session_name begins with ".sluice", which is reserved');
  const encoded = percentEncode(name);
  if (encoded.length > SESSION_MAX_BYTES)
    throw new InvalidSessionName(
      `session_name has ${encoded.length} bytes after percent-encoding; at most ${SESSION_MAX_BYTES} are allowed`,
    );
  return encoded;
}

/** The UTC day of a moment, `YYYYMMDD`. `now` in milliseconds since 1970. */
export function datePrefix(now: number): string {
  return new Date(now).toISOString().slice(0, 10).replaceAll('-', '');
}

/** Whether a text is a date prefix: eight digits that name a day of the calendar. */
export function isDatePrefix(text: string): boolean {
  const match = /^(\d{4})(\d{2})(\d{2})$/.exec(text);
  if (!match) return false;
  const time = Date.parse(`${match[1]}-${match[2]}-${match[3]}T00:00:00Z`);
  return !Number.isNaN(time) && datePrefix(time) === text;
}

/** Whether a text is what {@link encodeSession} gives for some name. */
export function isEncodedSession(text: string): boolean {
  const name = percentDecode(text);
  if (name === null) return false;
  try {
    return encodeSession(name) === text;
  } catch {
    return false;
  }
}

/** The session's name as it was given, from its encoded form. @throws InvalidSessionName where it is none. */
export function decodeSession(encoded: string): string {
  const name = percentDecode(encoded);
  if (name === null) throw new InvalidSessionName(`"${encoded}" is not an encoded session name`);
  return name;
}

/** `<date>/<encoded_session>`: the session's key in Redis, its prefix in the store and its folder under each root. */
export function sessionKey(session: SessionRef): string {
  return `${session.datePrefix}/${session.encodedSession}`;
}

/** Reads a session's key back. @returns null where the text is no such key. */
export function parseSessionKey(key: string): SessionRef | null {
  const [date, encoded, ...rest] = key.split('/');
  if (date === undefined || encoded === undefined || rest.length > 0) return null;
  return isDatePrefix(date) && isEncodedSession(encoded)
    ? { datePrefix: date, encodedSession: encoded }
    : null;
}
