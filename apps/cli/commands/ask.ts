import { InvalidArgumentError, type Command } from 'commander';
import { Client } from '../client.js';
import { jsonLine } from '../print.js';

/** What every command has at hand. */
export interface Ask {
  readonly client: Client;
  readonly json: boolean;
  /** Prints the answer for scripts, or the lines for people. */
  readonly print: (answer: unknown, lines: () => readonly string[]) => void;
}

/** Reads the options that all commands share, and the token. @throws WrongUsage */
export function askOf(command: Command): Ask {
  const { url, json = false } = command.optsWithGlobals<{ url: string; json?: boolean }>();
  const token = process.env.SLUICE_TOKEN || process.env.APP_API_TOKEN || null;
  return {
    client: new Client(url, token),
    json,
    print: (answer, lines) => {
      for (const line of json ? [jsonLine(answer)] : lines()) process.stdout.write(`${line}\n`);
    },
  };
}

/** Reads a number of items. */
export function count(text: string): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value < 1) throw new InvalidArgumentError('give a whole number from 1 on.');
  return value;
}

/** The path of a session that the api named. */
export function pathOf({
  date_prefix,
  encoded_session,
}: {
  date_prefix: string;
  encoded_session: string;
}): string {
  return sessionPath(`${date_prefix}/${encoded_session}`);
}

/** The path of a session, from its key `<date>/<encoded session>`; the encoded text is encoded once more. */
export function sessionPath(key: string): string {
  const slash = key.indexOf('/');
  if (!/^\d{8}\/[^/]+$/.test(key))
    throw new InvalidArgumentError('give <date>/<encoded session>, such as 20260131/my%20session.');
  return `v1/sessions/${key.slice(0, slash)}/${encodeURIComponent(key.slice(slash + 1))}`;
}
