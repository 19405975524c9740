/** A file that holds text made from the code. */
export interface MadeFile {
  /** Relative to the root of the repository. */
  readonly path: string;
  /** The file as it should be. */
  readonly text: string;
}

/**
 * Replaces what stands between `<!-- name: made by ... -->` and `<!-- name: end -->`; prettier leaves it alone.
 *
 * @throws Error where the file has lost these lines
 */
export function between(path: string, text: string, name: string, made: string): string {
  const begin = `<!-- ${name}: made by npm run docs:settings -->`;
  const end = `<!-- ${name}: end -->`;
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${path} has no lines "${begin}" and "${end}"`);
  const block = `${begin}\n\n<!-- prettier-ignore-start -->\n\n${made}\n<!-- prettier-ignore-end -->\n\n`;
  return text.slice(0, from) + block + text.slice(to);
}
