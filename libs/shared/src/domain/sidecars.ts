import { lastPart, NAME_MAX_BYTES } from './names.js';

/** Whether files have their checksums beside them: `APP_SIDECAR_CHECKSUMS`. */
export type SidecarMode = 'off' | 'optional' | 'required';
/** The digests that a sidecar may hold. */
export type DigestAlgorithm = 'sha256' | 'md5';

/** The most bytes of a sidecar that are read. */
export const SIDECAR_MAX_BYTES = 65_536;

const ALGORITHMS = [
  { algorithm: 'sha256', end: '.sha256', shown: 'SHA-256', digits: 64 },
  { algorithm: 'md5', end: '.md5', shown: 'MD5', digits: 32 },
] as const;

/** A name that a file's checksum may have. */
export interface SidecarName {
  readonly algorithm: DigestAlgorithm;
  /** In the same folder as the file. */
  readonly name: string;
}

/** The names that the sidecars of a file may have: those that no file can have for their length are left out. */
export function sidecarNames(filename: string): SidecarName[] {
  return ALGORITHMS.map(({ algorithm, end }) => ({ algorithm, name: filename + end })).filter(
    ({ name }) => Buffer.byteLength(lastPart(name)) <= NAME_MAX_BYTES,
  );
}

/** The name of the file that a name is the sidecar of; null where it is none. */
export function fileOfSidecar(name: string): string | null {
  const found = ALGORITHMS.find(({ end }) => name.endsWith(end) && lastPart(name).length > end.length);
  return found ? name.slice(0, -found.end.length) : null;
}

/** What a sidecar says: the digest in lower-case hex, or why it says nothing of this file. */
export type ReadSidecar = { readonly digest: string } | { readonly fault: string };

/**
 * Reads a sidecar: `digest  name` and `digest *name` of coreutils (a backslash before the digest where the name is
 * escaped), `SHA256 (name) = digest` of BSD, or the bare digest; lines end in LF or CRLF, a BOM may come first, digits are of
 * either case. Of several lines the one that names the file counts.
 *
 * @param filename of the file beside it, which may be a path
 */
export function readSidecar(text: string, filename: string, algorithm: DigestAlgorithm): ReadSidecar {
  const { shown, digits } = ALGORITHMS.find((one) => one.algorithm === algorithm) ?? ALGORITHMS[0];
  const lines = text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (lines.length === 0) return { fault: 'is empty' };
  const entries = lines.flatMap((line) => readLine(line, digits) ?? []);
  if (entries.length === 0)
    return { fault: `holds no ${shown} of ${digits} hex digits in any form that is known` };
  const named = entries.find(({ name }) => name !== null && isNameOf(name, filename));
  const entry = named ?? (entries.length === 1 && entries[0]?.name === null ? entries[0] : undefined);
  if (entry) return { digest: entry.digest.toLowerCase() };
  const other = entries.find(({ name }) => name !== null)?.name;
  return {
    fault:
      other === undefined || other === null
        ? 'holds more than one digest and no name'
        : `names ${JSON.stringify(lastPart(other).slice(0, 80))}, and not this file`,
  };
}

function readLine(line: string, digits: number): { digest: string; name: string | null } | null {
  const coreutils = /^(\\?)([0-9a-f]+)(?:\s+\*?(.+))?$/i.exec(line);
  if (coreutils?.[2]?.length === digits) {
    const name = coreutils[3] ?? null;
    return { digest: coreutils[2], name: coreutils[1] && name !== null ? unescaped(name) : name };
  }
  const bsd = /^[A-Z0-9-]+ ?\((.+)\) ?= ?([0-9a-f]+)$/i.exec(line);
  return bsd?.[1] !== undefined && bsd[2]?.length === digits ? { digest: bsd[2], name: bsd[1] } : null;
}

function unescaped(name: string): string {
  return name.replace(/\\([\\nr])/g, (_, letter: string) =>
    letter === 'n' ? '\n' : letter === 'r' ? '\r' : '\\',
  );
}

/** Producers may have written a path of their own, and another form of the same letters. */
function isNameOf(name: string, filename: string): boolean {
  const wanted = lastPart(filename).normalize();
  return [name, lastPart(name), name.slice(name.lastIndexOf('\\') + 1)].some(
    (form) => form.normalize() === wanted,
  );
}
