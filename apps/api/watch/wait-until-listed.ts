import { setTimeout as pause } from 'node:timers/promises';
import { leadingScanner } from '@app/shared/pods';
import type { ApiParts } from '../parts.js';

/** For how long, and how often, the scanner is waited for; milliseconds. */
const LISTED_MS = 5000;
const POLL_MS = 25;

/**
 * Waits until the scanner knows what stood in the drop folder at a stop, so that a file which is dropped after the answer
 * waits for the next session. Not long: a scanner that is away lists the folder when it is back.
 *
 * @throws RedisAway
 */
export async function waitUntilListed({ gate, sessions, pods }: ApiParts, stopping: number): Promise<void> {
  if (leadingScanner(await gate.ask(() => pods.alive())) === null) return;
  const end = Date.now() + LISTED_MS;
  while (Date.now() < end && !(await gate.ask(() => sessions.isListed(stopping)))) await pause(POLL_MS);
}
