import { setTimeout as pause } from 'node:timers/promises';
import type { ApiParts } from '../parts.js';

/** For how long, and how often, the scanner is waited for; milliseconds. */
const LISTED_MS = 4000;
const POLL_MS = 25;

/**
 * Waits until the scanner knows what stood in the drop folder at a stop, so that a file which is dropped after the answer
 * waits for the next session. Not long: a scanner that is away lists the folder when it is back. Whether one lives is not
 * asked: the first report of a new one comes later than its first scan.
 *
 * @throws RedisAway
 */
export async function waitUntilListed(
  { gate, sessions }: Pick<ApiParts, 'gate' | 'sessions'>,
  stopping: number,
): Promise<void> {
  const end = Date.now() + LISTED_MS;
  while (Date.now() < end && !(await gate.ask(() => sessions.isListed(stopping)))) await pause(POLL_MS);
}
