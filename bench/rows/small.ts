import type { Run, Subcommand } from '../subcommand.js';
import { move, SLUICE, speedGoal, statusGoal } from './moving.js';

const KIB_4 = 4096;
/** The queue takes all files of a turn, and the scanner looks often, so that uploaders are never without work. */
const BUSY = { APP_POLL_INTERVAL_S: '0.2', APP_MAX_QUEUE_SIZE: '10000' };

/** 3,000 x 4 KiB, 32 at once; also with the scanner's own defaults, where its pauses count. */
export const small: Subcommand = async ({ rounds, small: few }: Run) => {
  const files = few ? 300 : 3000;
  const table = await move({
    title: `${files} x 4 KiB, 32 at once`,
    ...{ files, fileBytes: KIB_4, rounds, transfers: 32 },
    ours: {
      [SLUICE]: { APP_WORKER_CONCURRENCY: '32', ...BUSY },
      'Sluice, default polling': { APP_WORKER_CONCURRENCY: '32' },
    },
  });
  return { tables: [table], goals: [speedGoal(table, 0.8, 1.2), statusGoal([table])], notes: [] };
};

/** 1,000 x 4 KiB into a store that answers 20 ms later, 64 at once. */
export const latency: Subcommand = async ({ rounds, small: few }: Run) => {
  const files = few ? 200 : 1000;
  const table = await move({
    title: `${files} x 4 KiB, store 20 ms away, 64 at once`,
    ...{ files, fileBytes: KIB_4, rounds, transfers: 64, delayUs: 20_000 },
    ours: { [SLUICE]: { APP_WORKER_CONCURRENCY: '64', ...BUSY } },
  });
  return { tables: [table], goals: [speedGoal(table, 1.1, 1.6), statusGoal([table])], notes: [] };
};

/** The same bytes in files of many sizes: throughput against file size. */
export const sizes: Subcommand = async ({ rounds, small: few }: Run) => {
  const KIB = 1024;
  const steps = [4, 64, 1024, 4096, 16 * KIB, 64 * KIB, 256 * KIB].map((kib) => kib * KIB);
  const total = (few ? 64 : 512) * 2 ** 20;
  const tables = [];
  for (const fileBytes of steps) {
    const files = Math.max(1, Math.min(few ? 200 : 2000, Math.floor(total / fileBytes)));
    tables.push(
      await move({
        title: `${files} x ${fileBytes / KIB} KiB`,
        ...{ files, fileBytes, rounds, transfers: 8 },
        ours: { [SLUICE]: { APP_WORKER_CONCURRENCY: '8', ...BUSY } },
      }),
    );
  }
  return { tables, goals: [], notes: [] };
};

/** Ever more small files: the cost of one against their number. */
export const counts: Subcommand = async ({ rounds, small: few }: Run) => {
  const tables = [];
  for (const files of few ? [100, 300] : [100, 300, 1000, 3000, 10_000])
    tables.push(
      await move({
        title: `${files} x 4 KiB`,
        ...{ files, fileBytes: KIB_4, rounds, transfers: 16 },
        ours: { [SLUICE]: { APP_WORKER_CONCURRENCY: '16', ...BUSY } },
      }),
    );
  return { tables, goals: [], notes: [] };
};
