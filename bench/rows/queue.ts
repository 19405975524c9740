import { Redis } from 'ioredis';
import { Moves } from '@app/shared/records';
import { openUploadQueue, uploadJob } from '@app/shared/queue';
import { until } from '../../test/support/index.js';
import { cpuSeconds } from '../meter.js';
import { Stack } from '../stack.js';
import { median } from '../results.js';
import { Stock } from '../stock.js';
import type { Run, Subcommand } from '../subcommand.js';
import { Sink } from '../tools.js';

const PREFIX = '{sluice}';
const BATCH = 500;
const CONCURRENCY = '32';
const BUSY = { APP_POLL_INTERVAL_S: '0.2', APP_MAX_QUEUE_SIZE: '10000' };

const KIB_4 = 4096;
/** The most Redis commands a file may cost. */
const COMMANDS_GOAL = 45;

/**
 * What queue and records cost without any file: jobs whose file is gone are enqueued as the scanner does it, and a real
 * uploader takes each, looks for its file, and skips it. And how many Redis commands a file of 4 KiB costs that is really
 * moved: all that Redis answers meanwhile, those of scripts, heartbeats and status calls too, over the number of files.
 */
export const queue: Subcommand = async ({ rounds, small }: Run) => {
  const jobs = small ? 500 : 5000;
  const sink = await Sink.start();
  const stack = await Stack.start({ sink, env: { APP_WORKER_CONCURRENCY: CONCURRENCY, ...BUSY } });
  const redis = new Redis(stack.redisUrl, { maxRetriesPerRequest: null });
  const uploads = openUploadQueue(redis, PREFIX, () => undefined);
  const moves = new Moves(redis, PREFIX);
  const notes: string[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      const files = Array.from({ length: jobs }, (_, i) => ({
        session: { datePrefix: '20260101', encodedSession: `queue-${round}` },
        filename: `gone-${round}-${i}`,
        size: 4096,
      }));
      await uploads.pause();
      const added = await timed(process.pid, stack, async () => {
        for (let at = 0; at < jobs; at += BATCH) {
          const batch = files.slice(at, at + BATCH);
          await moves.queued(batch, '');
          await uploads.addBulk(
            batch.map(({ session, filename, size }) =>
              uploadJob({
                ...{
                  date_prefix: session.datePrefix,
                  encoded_session: session.encodedSession,
                  filename,
                  size,
                },
                mtime_ns: '1',
              }),
            ),
          );
        }
      });
      const taken = await timed(stack.app('uploader').pid, stack, async () => {
        await uploads.resume();
        await until(
          'all jobs are taken',
          async () => (await uploads.getJobCountByTypes('waiting', 'active')) === 0,
          120_000,
        );
      });
      const say = (what: string, { wallS, cpuS, redisCpuS }: typeof added) =>
        `round ${round + 1}: ${jobs} jobs ${what} at ${Math.round(jobs / wallS)}/s, ${((1000 * cpuS) / jobs).toFixed(3)} ms CPU and ${((1000 * redisCpuS) / jobs).toFixed(3)} ms of Redis each`;
      notes.push(say('enqueued', added), say(`taken and skipped, ${CONCURRENCY} at once,`, taken));
      for (const note of notes.slice(-2)) console.log(note);
    }
    const work = `${jobs} x 4 KiB, ${CONCURRENCY} at once`;
    const measure = 'Redis commands a file, all counted';
    const value = await commandsOf(stack, redis, rounds, jobs, notes);
    const goal = { work, measure, value, unit: '', sense: 'at most', goal: COMMANDS_GOAL } as const;
    return { tables: [], goals: [goal], notes };
  } finally {
    await uploads.close();
    redis.disconnect();
    await stack.end();
    await sink.end();
  }
};

/** Moves files of 4 KiB. @returns Redis commands a file, the median of some rounds; the last one's by name go to the notes */
async function commandsOf(stack: Stack, redis: Redis, rounds: number, files: number, notes: string[]) {
  const stock = new Stock(files, KIB_4);
  const counts: number[] = [];
  let names: [string, number][] = [];
  for (let round = 0; round < rounds; round++) {
    const session = await stack.prepare(stock);
    const before = await callsOf(redis);
    counts.push(((await stack.measure(session, stock)).redisCommands ?? NaN) / files);
    const after = await callsOf(redis);
    names = [...after].map(([name, calls]) => [name, (calls - (before.get(name) ?? 0)) / files]);
  }
  stock.end();
  const most = names.filter(([, calls]) => calls >= 0.5).sort((a, b) => b[1] - a[1]);
  notes.push(`commands a file: ${most.map(([name, calls]) => `${name} ${calls.toFixed(1)}`).join(', ')}`);
  return median(counts);
}

async function callsOf(redis: Redis): Promise<Map<string, number>> {
  const info = await redis.info('commandstats');
  return new Map(
    [...info.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].map(([, name = '', calls]) => [name, Number(calls)]),
  );
}

async function timed(pid: number, stack: Stack, work: () => Promise<void>) {
  const [cpu, redis, began] = [cpuSeconds(pid), cpuSeconds(stack.redisPid), performance.now()];
  await work();
  const wallS = (performance.now() - began) / 1000;
  return { wallS, cpuS: cpuSeconds(pid) - cpu, redisCpuS: cpuSeconds(stack.redisPid) - redis };
}
