import { compare, type Contestant } from '../compare.js';
import { curlTurn, rcloneTurn } from '../peers.js';
import { quantile, ratio, type Goal, type Table } from '../results.js';
import { Stack } from '../stack.js';
import { Stock } from '../stock.js';
import { Sink } from '../tools.js';

/** The names that series have in all tables. */
export const RCLONE = 'cp + sync + rclone move';
export const SLUICE = 'Sluice';
export const SLUICE_NO_MD5 = 'Sluice, APP_CONTENT_MD5=false';
export const FLOOR = 'cp + sync + curl, no checksum';

/** One table of files moved side by side. */
export interface Moving {
  readonly title: string;
  readonly files: number;
  readonly fileBytes: number;
  readonly rounds: number;
  /** rclone's `--transfers`. */
  readonly transfers: number;
  /** Our stacks by the name of their series, with the settings that differ from the defaults. */
  readonly ours: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Whether the floor is measured too. */
  readonly floor?: boolean;
  /** Of the sink. */
  readonly delayUs?: number;
}

/** Measures one table. */
export async function move(work: Moving): Promise<Table> {
  const { title, files, fileBytes } = work;
  const stock = new Stock(files, fileBytes);
  const sink = await Sink.start(work.delayUs);
  const stacks: Stack[] = [];
  try {
    const contestants: Contestant[] = [
      {
        name: RCLONE,
        settings: `--transfers ${work.transfers}`,
        turn: () => rcloneTurn(stock, sink, work.transfers),
      },
    ];
    for (const [name, env] of Object.entries(work.ours)) {
      const stack = await Stack.start({ sink, env });
      stacks.push(stack);
      contestants.push({ name, settings: settingsOf(env), turn: () => stack.turn(stock) });
    }
    if (work.floor)
      contestants.push({ name: FLOOR, settings: '4 at once', turn: () => curlTurn(stock, sink) });
    return await compare({ title, files, fileBytes }, contestants, work.rounds);
  } finally {
    await Promise.all(stacks.map((stack) => stack.end()));
    await sink.end();
    stock.end();
  }
}

/** Settings as they are written in a table. */
export function settingsOf(env: Readonly<Record<string, string>>): string {
  const given = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return given.length > 0 ? given.join(' ') : 'defaults';
}

/** A goal for a ratio to the first series. */
export function ratioGoal(
  table: Table,
  name: string,
  of: 'wallS' | 'cpuS',
  goal: number,
  stretch: number,
): Goal {
  const measure = `${of === 'wallS' ? 'wall time' : 'CPU time'} against ${table.series[0]?.name}`;
  const work = name === SLUICE ? table.title : `${table.title}, ${name.replace('Sluice, ', '')}`;
  return { work, measure, value: ratio(table, name, of), unit: 'x', sense: 'at most', goal, stretch };
}

/** A goal for files a second against the first series. */
export function speedGoal(table: Table, goal: number, stretch: number): Goal {
  const value = 1 / ratio(table, SLUICE, 'wallS');
  return {
    work: table.title,
    measure: `files/s against ${table.series[0]?.name}`,
    ...{ value, unit: 'x', sense: 'at least', goal, stretch },
  };
}

/** The goal for status calls while files were moved. */
export function statusGoal(tables: readonly Table[]): Goal {
  const taken = tables.flatMap(({ series }) =>
    series.flatMap(({ turns }) => turns.flatMap((turn) => turn.statusMs ?? [])),
  );
  return {
    work: `status calls meanwhile (${taken.length})`,
    measure: '99th percentile',
    ...{ value: quantile(taken, 0.99), unit: 'ms', sense: 'at most', goal: 50 },
  };
}
