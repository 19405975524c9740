import { Redis } from 'ioredis';
import { Moves } from '@app/shared/records';
import { openUploadQueue, uploadJob } from '@app/shared/queue';
import { until } from '../../test/support/index.js';
import { cpuSeconds } from '../meter.js';
import { Stack } from '../stack.js';
import type { Run, Subcommand } from '../subcommand.js';
import { Sink } from '../tools.js';

const PREFIX = '{sluice}';
const BATCH = 500;
const CONCURRENCY = '32';

/**
 * What queue and records cost without any file: jobs whose file is gone are enqueued as the scanner does it, and a real
 * uploader takes each, looks for its file, and skips it.
 */
export const queue: Subcommand = async ({ rounds, small }: Run) => {
  const jobs = small ? 500 : 5000;
  const sink = await Sink.start();
  const stack = await Stack.start({ sink, env: { APP_WORKER_CONCURRENCY: CONCURRENCY } });
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
    return { tables: [], goals: [], notes };
  } finally {
    await uploads.close();
    redis.disconnect();
    await stack.end();
    await sink.end();
  }
};

async function timed(pid: number, stack: Stack, work: () => Promise<void>) {
  const [cpu, redis, began] = [cpuSeconds(pid), cpuSeconds(stack.redisPid), performance.now()];
  await work();
  const wallS = (performance.now() - began) / 1000;
  return { wallS, cpuS: cpuSeconds(pid) - cpu, redisCpuS: cpuSeconds(stack.redisPid) - redis };
}
