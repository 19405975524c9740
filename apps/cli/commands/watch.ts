import type { Command } from 'commander';
import type { FileAnswer, Page, Session, Status } from '../answers.js';
import type { Client } from '../client.js';
import { Flights } from '../flights.js';
import { endOnSignal, follow, wait } from '../follow.js';
import { jsonLine } from '../print.js';
import { LineView, ScreenView, type View } from '../views.js';
import { askOf } from './ask.js';

/** How often session and problems are asked for; milliseconds. */
const ASK_MS = 2_000;

/** `sluice watch`: files in flight, as it happens, until Ctrl-C. */
export function registerWatch(program: Command): void {
  program
    .command('watch')
    .description('files in flight with rate and time left, until Ctrl-C; --json passes the events on')
    .action(async (_options: object, command: Command) => {
      const { client, json } = askOf(command);
      const end = endOnSignal();
      // a wrong address or token is told before the screen changes
      await client.get<Status>('v1/status');
      const flights = new Flights();
      const view = json ? jsonView : process.stdout.isTTY ? new ScreenView(flights) : new LineView();
      const follower = {
        take: (event: Parameters<View['take']>[0]) => view.take(event, flights.take(event, Date.now())),
        lost: (why: string | null) => view.show({ lost: why }),
      };
      try {
        await Promise.all([
          follow(client, follower, end),
          json ? null : keepAsking(client, flights, view, end.signal),
        ]);
      } finally {
        end.abort();
        view.end();
      }
    });
}

/** For programs: the events as they come, a line each. */
export const jsonView: View = {
  take: (event) => void process.stdout.write(`${jsonLine(event)}\n`),
  show: () => undefined,
  end: () => undefined,
};

/** Asks again and again for what no event tells: the session's totals, problems, and which files are in flight. */
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
