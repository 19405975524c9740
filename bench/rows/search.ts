import { Redis } from 'ioredis';
import { jobStates } from '@app/shared/queue';
import { History, Moves } from '@app/shared/records';
import { TestRedis } from '../../test/support/index.js';
import type { Run, Subcommand } from '../subcommand.js';

const PREFIX = '{sluice}';
const BATCH = 500;
/** Bytes of a name. */
const NAME = 42;
const session = { datePrefix: '20260101', encodedSession: 'a%20session' };

/** What a search by the beginning of a name takes, and what its index costs a record. */
export const search: Subcommand = async ({ rounds, small }: Run) => {
  const files = small ? 5_000 : 100_000;
  const server = await TestRedis.start();
  const redis = new Redis(server.url, { maxRetriesPerRequest: null });
  try {
    await fill(new Moves(redis, PREFIX), files);
    const history = new History(redis, PREFIX, jobStates(redis, PREFIX));
    const times = await timesOf(history, files, rounds);
    const bytes = (await indexBytes(redis)) / files;
    const work = `${files} records of a name of ${NAME} bytes`;
    return {
      tables: [],
      goals: [
        {
          work,
          measure: 'the slowest search',
          value: Math.max(...times.map(({ ms }) => middle(ms))),
          unit: 'ms',
          sense: 'at most',
          goal: 50,
        },
        {
          work,
          measure: 'the index of names, each',
          value: bytes,
          unit: 'bytes',
          sense: 'at most',
          goal: 100,
        },
      ],
      notes: [
        ...times.map(
          ({ what, ms }) => `${work}: ${what}: ${middle(ms).toFixed(1)} ms, the median of ${ms.length}`,
        ),
        `${work}: the index of names needs ${bytes.toFixed(1)} bytes a record`,
      ],
    };
  } finally {
    redis.disconnect();
    await server.end();
  }
};

/** Half of the records wait, half are done; names come in an order that is far from sorted. */
async function fill(moves: Moves, files: number): Promise<void> {
  const facts = { size: 1, md5: null, mtimeMs: 0, attempts: 1, pod: 'uploader-0', maxFiles: files };
  for (let at = 0; at < files; at += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, files - at) }, (_, i) =>
      nameOf(((at + i) * 7919) % files),
    );
    await moves.queued(
      batch.map((filename) => ({ session, filename, size: 1 })),
      '',
    );
    if ((at / BATCH) % 2 === 0)
      await Promise.all(
        batch.map((filename) =>
          moves.receipt(session, filename, 'c', { ...facts, blobUrl: `http://store/${filename}` }),
        ),
      );
  }
}

function nameOf(i: number): string {
  return `recording-${String(i).padStart(NAME - 14, '0')}.mxf`;
}

async function timesOf(
  history: History,
  files: number,
  rounds: number,
): Promise<{ what: string; ms: number[] }[]> {
  const some = nameOf(files / 2);
  const searches = [
    { what: 'one name, 100 asked for', beginning: some },
    { what: '1,000 names, 100 asked for', beginning: some.slice(0, -7) },
    { what: 'all names, 100 asked for', beginning: 'recording-' },
    { what: 'none, 100 asked for', beginning: 'z' },
  ];
  const all: { what: string; ms: number[] }[] = [];
  for (const { what, beginning } of searches) {
    const ms: number[] = [];
    for (let i = 0; i < 20 * rounds; i++) {
      const began = performance.now();
      await history.search({ beginning, states: null, session: null, after: '', limit: 100 });
      ms.push(performance.now() - began);
    }
    all.push({ what, ms });
  }
  return all;
}

async function indexBytes(redis: Redis): Promise<number> {
  const keys = await redis.keys(`${PREFIX}:by-name*`);
  const sizes = await Promise.all(keys.map((key) => redis.call('MEMORY', 'USAGE', key, 'SAMPLES', '0')));
  return sizes.reduce((sum: number, size) => sum + Number(size), 0);
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}
