import type { Command } from 'commander';
import { messageOf } from '@app/shared/domain';
import type { FileAnswer, Page, Session, Status } from '../answers.js';
import { Refused, type Client } from '../client.js';
import { Flights } from '../flights.js';
import { jsonLine } from '../print.js';
import { LineView, ScreenView, type View } from '../views.js';
import { askOf } from './ask.js';

/** How often session and problems are asked for; milliseconds. */
const ASK_MS = 2_000;
/** The longest wait between two tries to connect; milliseconds. */
const RECONNECT_MAX_MS = 5_000;

/** `sluice watch`: files in flight, as it happens, until Ctrl-C. */
export function registerWatch(program: Command): void {
  program
    .command('watch')
    .description('files in flight with rate and time left, until Ctrl-C; --json passes the events on')
    .action(async (_options: object, command: Command) => {
      const { client, json } = askOf(command);
      const end = new AbortController();
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => end.abort());
      // a wrong address or token is told before the screen changes
      await client.get<Status>('v1/status');
      const flights = new Flights();
      const view = json ? jsonView : process.stdout.isTTY ? new ScreenView(flights) : new LineView();
      try {
        await Promise.all([
          follow(client, flights, view, end),
          json ? null : keepAsking(client, flights, view, end.signal),
        ]);
      } finally {
        end.abort();
        view.end();
      }
    });
}

const jsonView: View = {
  take: (event) => void process.stdout.write(`${jsonLine(event)}\n`),
  show: () => undefined,
  end: () => undefined,
};

/** Follows the events until the end; a connection that breaks is made again. @throws Refused */
async function follow(client: Client, flights: Flights, view: View, end: AbortController): Promise<void> {
  for (let tries = 1; !end.signal.aborted; tries += 1) {
    try {
      const opened = () => {
        tries = 0;
        view.show({ lost: null });
      };
      for await (const event of client.events(end.signal, opened))
        view.take(event, flights.take(event, Date.now()));
      if (!end.signal.aborted) view.show({ lost: 'the api ended the connection; trying again' });
    } catch (error) {
      if (end.signal.aborted) return;
      if (error instanceof Refused) {
        end.abort();
        throw error;
      }
      view.show({ lost: `${messageOf(error)}; trying again` });
    }
    await wait(Math.min(RECONNECT_MAX_MS, 250 * 2 ** Math.min(tries, 10)), end.signal);
  }
}

/**
 * Asks again and again for what no event tells: the session's totals, problems, and which files are in flight, since
 * events of a broken connection are lost.
 */
async function keepAsking(client: Client, flights: Flights, view: View, end: AbortSignal): Promise<void> {
  while (!end.aborted) {
    try {
      const [active, { problems }, sessions] = await Promise.all([
        client.get<Page<FileAnswer>>('v1/files', { state: 'active', limit: '1000' }, end),
        client.get<Status>('v1/status', {}, end),
        client.get<Page<Session>>('v1/sessions', { limit: '20' }, end),
      ]);
      flights.seed(active.items, Date.now());
      const of = (state: string) => sessions.items.find((session) => session.state === state);
      view.show({ problems, session: of('active') ?? of('draining') ?? null });
    } catch {
      // the events' connection tells what is wrong
    }
    await wait(ASK_MS, end);
  }
}

/** Waits; ends at once when it is time to go. */
function wait(ms: number, end: AbortSignal): Promise<void> {
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
