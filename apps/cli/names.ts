import type { FileAnswer, Page, Session } from './answers.js';
import { Refused, type Client } from './client.js';
import { sessionPath } from './commands/ask.js';
import { escaped } from './print.js';

/** A file and its older records. */
export type FileFound = FileAnswer & { readonly others: readonly FileAnswer[] };

/**
 * The session that a person means: by its key `<date>/<encoded session>`, or by its name, the newest one of that name,
 * also as it is printed here.
 *
 * @throws Refused where there is none
 */
export async function sessionOf(client: Client, text: string): Promise<Session> {
  if (/^\d{8}\/[^/]+$/.test(text)) return client.get<Session>(sessionPath(text));
  let cursor: string | undefined;
  do {
    const page: Page<Session> = await client.get('v1/sessions', { limit: '1000', cursor });
    const found = page.items.find(({ session_name: name }) => name === text || escaped(name) === text);
    if (found) return found;
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  throw new Refused(`no session has the name "${text}"; sluice sessions lists them`);
}

/**
 * The file that a person means: by its name, or as it is printed here, with escapes or behind its session.
 *
 * @param session the key of the only session to look in
 * @throws Refused where there is none
 */
export async function fileOf(client: Client, text: string, session?: string): Promise<FileFound> {
  const get = (filename: string, key?: string) =>
    client.get<FileFound>(`v1/files/${encodeURIComponent(filename)}`, { session: key });
  let refusal: unknown;
  for (const [name, key] of readings(text)) {
    try {
      return await get(name, session ?? key);
    } catch (error) {
      if (!(error instanceof Refused && error.status === 404)) throw error;
      refusal ??= error;
    }
  }
  throw refusal;
}

/** What a text may mean, the plainest first: a name, and the key of a session where it has one. */
function readings(text: string): [name: string, key?: string][] {
  const [, key, name] = /^(\d{8}\/[^/]+)\/(.+)$/s.exec(text) ?? [];
  const plain: [string, string?][] = [
    [text],
    ...(name === undefined ? [] : [[name, key] as [string, string?]]),
  ];
  return [
    ...plain,
    ...plain
      .filter(([one]) => one.includes('\\'))
      .map(([one, of]) => [unescaped(one), of] as [string, string?]),
  ];
}

/** What {@link escaped} made such a text of. */
function unescaped(text: string): string {
  return text.replace(/\\\\|\\u\{([0-9a-f]{1,6})\}/g, (_, code?: string) =>
    code === undefined ? '\\' : String.fromCodePoint(Math.min(parseInt(code, 16), 0x10ffff)),
  );
}
