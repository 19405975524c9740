import { compare } from '../compare.js';
import { ratio } from '../results.js';
import { Stack } from '../stack.js';
import { Stock } from '../stock.js';
import type { Run, Subcommand } from '../subcommand.js';
import { Sink } from '../tools.js';
import { settingsOf, statusGoal } from './moving.js';

/** Bytes that a connection to the sink may carry in a second. */
const RATE = 100_000_000;
/** One connection an uploader, so that the store's limit is what holds it back, as a network would. */
const NARROW = { APP_WORKER_CONCURRENCY: '1', APP_AZURE_MAX_CONCURRENCY: '1', APP_POLL_INTERVAL_S: '0.2' };

/** One, two and four uploaders, each held back by the same limit of a connection. */
export const scale: Subcommand = async ({ rounds, small }: Run) => {
  const [files, fileBytes] = small ? [8, 8 * 2 ** 20] : [48, 32 * 2 ** 20];
  const stock = new Stock(files, fileBytes);
  const sink = await Sink.start(0, RATE);
  const stacks: Stack[] = [];
  try {
    for (const uploaders of [1, 2, 4]) stacks.push(await Stack.start({ sink, env: NARROW, uploaders }));
    const title = `${files} x ${fileBytes / 2 ** 20} MiB, ${RATE / 1e6} MB/s a connection`;
    const contestants = stacks.map((stack, i) => ({
      name: nameOf(2 ** i),
      settings: settingsOf(NARROW),
      turn: () => stack.turn(stock),
    }));
    const table = await compare({ title, files, fileBytes }, contestants, rounds);
    const value = 1 / ratio(table, nameOf(2), 'wallS');
    return {
      tables: [table],
      goals: [
        {
          work: title,
          measure: 'throughput of two uploaders against one',
          value,
          unit: 'x',
          sense: 'at least',
          goal: 1.8,
        },
        statusGoal([table]),
      ],
      notes: [],
    };
  } finally {
    await Promise.all(stacks.map((stack) => stack.end()));
    await sink.end();
    stock.end();
  }
};

/** The name of a series with so many uploaders. */
export function nameOf(uploaders: number): string {
  return uploaders === 1 ? '1 uploader' : `${uploaders} uploaders`;
}
