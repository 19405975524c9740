import { median, ratio, ratios, type Series, type Table, type Turn } from './results.js';

/** One who does the work of a table. */
export interface Contestant {
  readonly name: string;
  /** What it was made with. */
  readonly settings: string;
  /** Does the work once, under fresh names. */
  readonly turn: () => Promise<Turn>;
}

/**
 * Lets contestants do the same work in turns, A B C, C B A, A B C and so on, so that what drifts on the machine hits
 * all alike. One turn of each goes before and does not count.
 *
 * @param work title, number and size of the files
 */
export async function compare(
  work: Pick<Table, 'title' | 'files' | 'fileBytes'>,
  contestants: readonly Contestant[],
  rounds: number,
): Promise<Table> {
  console.log(`\n${work.title}`);
  const turns = contestants.map((): Turn[] => []);
  for (let round = -1; round < rounds; round++) {
    const order = contestants.map((_, i) => (round % 2 === 0 ? i : contestants.length - 1 - i));
    for (const i of order) {
      const contestant = contestants[i];
      if (!contestant) continue;
      const turn = await contestant.turn();
      if (round >= 0) turns[i]?.push(turn);
      const say = `${turn.wallS.toFixed(2)} s wall, ${turn.cpuS.toFixed(2)} s CPU, ${turn.peakMiB.toFixed(0)} MiB`;
      console.log(`  ${round < 0 ? 'warm-up' : `round ${round + 1}`}  ${contestant.name}: ${say}`);
    }
  }
  const series: Series[] = contestants.map(({ name, settings }, i) => ({
    name,
    settings,
    turns: turns[i] ?? [],
  }));
  const table = { ...work, series };
  for (const line of linesOf(table)) console.log(`  ${line}`);
  return table;
}

/** The medians of a table, a line a contestant, with ratios to the first and their range over the rounds. */
export function linesOf(table: Table): string[] {
  return table.series.map(({ name, turns }) => {
    const middle = (of: 'wallS' | 'cpuS' | 'peakMiB') => median(turns.map((turn) => turn[of]));
    const compared = (of: 'wallS' | 'cpuS') => {
      const all = ratios(table, name, of);
      return `x${ratio(table, name, of).toFixed(2)} [${Math.min(...all).toFixed(2)}..${Math.max(...all).toFixed(2)}]`;
    };
    return `${name}: wall ${middle('wallS').toFixed(2)} s ${compared('wallS')}, CPU ${middle('cpuS').toFixed(2)} s ${compared('cpuS')}, peak ${middle('peakMiB').toFixed(0)} MiB`;
  });
}
