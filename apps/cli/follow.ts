import { messageOf } from '@app/shared/domain';
import type { SluiceEvent } from './answers.js';
import { Refused, type Client, type Heard } from './client.js';

/** The longest wait between two tries to connect; milliseconds. */
const RECONNECT_MAX_MS = 5_000;

/** Who is told of the events. */
export interface Follower {
  readonly take: (event: SluiceEvent) => void;
  /** Why nothing is heard now; null once it is again. */
  readonly lost: (why: string | null) => void;
}

/** An end that Ctrl-C, SIGTERM or a closed terminal brings. */
export function endOnSignal(): AbortController {
  const end = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => end.abort());
  return end;
}

/**
 * Follows the events until the end; a connection that breaks is made again, and what happened meanwhile is told then.
 *
 * @throws Refused, and ends what the end stands for
 */
export async function follow(client: Client, follower: Follower, end: AbortController): Promise<void> {
  const heard: Heard = { id: null };
  for (let tries = 1; !end.signal.aborted; tries += 1) {
    try {
      const opened = () => {
        tries = 0;
        follower.lost(null);
      };
      for await (const event of client.events(end.signal, opened, heard)) follower.take(event);
      if (!end.signal.aborted) follower.lost('the api ended the connection; trying again');
    } catch (error) {
      if (end.signal.aborted) return;
      if (error instanceof Refused) {
        end.abort();
        throw error;
      }
      follower.lost(`${messageOf(error)}; trying again`);
    }
    await wait(Math.min(RECONNECT_MAX_MS, 250 * 2 ** Math.min(tries, 10)), end.signal);
  }
}

/** Waits; ends at once when it is time to go. */
export function wait(ms: number, end: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      clearTimeout(timer);
      end.removeEventListener('abort', over);
      resolve();
    };
    const timer = setTimeout(over, ms);
    end.addEventListener('abort', over);
    if (end.aborted) over();
  });
}
