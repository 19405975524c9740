import type { Turn } from '../results.js';
import { Stack } from '../stack.js';
import { Stock } from '../stock.js';
import type { Run, Subcommand } from '../subcommand.js';
import { Sink } from '../tools.js';
import { statusGoal } from './moving.js';

const FILES = 4;

/** The peak memory of an uploader with four files at once, large and larger, default settings. Sparse sources. */
export const memory: Subcommand = async ({ rounds, small }: Run) => {
  const [less, more] = (small ? [16, 64] : [256, 2048]).map((mib) => mib * 2 ** 20);
  const tables = [];
  for (const fileBytes of [less ?? 0, more ?? 0]) {
    const turns: Turn[] = [];
    for (let round = 0; round < rounds; round++) turns.push(await once(fileBytes));
    const title = `${FILES} x ${fileBytes / 2 ** 20} MiB at once`;
    console.log(`${title}: peaks ${turns.map((turn) => turn.peakMiB.toFixed(0)).join(', ')} MiB`);
    const series = [{ name: 'Sluice', settings: 'defaults, an uploader started anew each time', turns }];
    tables.push({ title, files: FILES, fileBytes, series });
  }
  const [little = 0, much = 0] = tables.map(({ series }) =>
    Math.max(...(series[0]?.turns ?? []).map((t) => t.peakMiB)),
  );
  const work = `uploader, ${tables[1]?.title}`;
  const at = { unit: 'MiB', sense: 'at most' } as const;
  return {
    tables,
    goals: [
      { work, measure: 'highest peak memory', value: much, ...at, goal: 256, stretch: 180 },
      { work, measure: `more than ${tables[0]?.title}`, value: much - little, ...at, goal: 20 },
      statusGoal(tables),
    ],
    notes: [],
  };
};

async function once(fileBytes: number): Promise<Turn> {
  const stock = new Stock(FILES, fileBytes, true);
  const sink = await Sink.start();
  const stack = await Stack.start({ sink });
  try {
    return await stack.turn(stock);
  } finally {
    await stack.end();
    await sink.end();
    stock.end();
  }
}
