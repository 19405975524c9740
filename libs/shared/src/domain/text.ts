const UNRESERVED = /[A-Za-z0-9\-._~]/;
/** What stays as it is, most names that machines make. */
const PLAIN = /^[A-Za-z0-9\-._~]*[A-Za-z0-9\-_~]$/;

/**
 * Percent-encodes a text the one way Sluice does: RFC 3986 unreserved characters stay, every other UTF-8 byte
 * becomes `%XX` in upper case. `.` and `..` become `%2E` and `%2E%2E`; otherwise a last dot becomes `%2E`, since
 * neither a folder nor a blob segment may end in one.
 *
 * @throws URIError on a lone surrogate, which has no UTF-8 form.
 * @see https://www.rfc-editor.org/rfc/rfc3986#section-2.3
 */
export function percentEncode(text: string): string {
  if (PLAIN.test(text)) return text;
  if (text === '.' || text === '..') return text.replaceAll('.', '%2E');
  if (!text.isWellFormed()) throw new URIError('the text holds a lone surrogate');
  let encoded = '';
  for (const character of text) {
    if (UNRESERVED.test(character)) encoded += character;
    else
      for (const byte of Buffer.from(character))
        encoded += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded.endsWith('.') ? `${encoded.slice(0, -1)}%2E` : encoded;
}

/**
 * The text that {@link percentEncode} made `encoded` from.
 *
 * @returns null where `encoded` is not exactly what `percentEncode` gives.
 */
export function percentDecode(encoded: string): string | null {
  try {
    const text = decodeURIComponent(encoded);
    return percentEncode(text) === encoded ? text : null;
  } catch {
    return null;
  }
}

const CONTROL = /\p{Cc}/u;

/** Whether a text holds a control character (C0, DEL or C1). */
export function hasControlCharacter(text: string): boolean {
  return CONTROL.test(text);
}

/** Whether a name is kept for Sluice itself. */
export function isReserved(name: string): boolean {
  return name.startsWith('.sluice');
}

/** Bytes in the largest binary unit that keeps one decimal: `8.0 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return unit === 0 ? `${bytes} bytes` : `${value.toFixed(1)} ${units[unit]}`;
}
