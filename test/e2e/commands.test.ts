import assert from 'node:assert/strict';
import { Redis } from 'ioredis';
import { openUploadQueue } from '@app/shared/queue';
import { Sessions, totals } from '@app/shared/records';
import { test, type TestContext, until, World } from '../support/index.js';

const FILES = 100;
/**
 * What a file of 4 KiB costs, 75, and some more: on a busy machine locks are renewed, and a file that takes longer than a
 * second notes its steps.
 */
const COMMANDS_MAX = 88;

/** Counts what Redis does about some files: calls that name one of them, with all that their scripts do. */
class Meter {
  private names = false;
  private group = 0;
  count = 0;

  private constructor(private readonly monitor: Redis) {}

  static async start(t: TestContext, url: string, name: string): Promise<Meter> {
    const client = new Redis(url);
    const meter = new Meter(await client.monitor());
    client.disconnect();
    t.after(() => meter.monitor.disconnect());
    meter.monitor.on('monitor', (_time: string, args: string[], source: string) => {
      // what a script does comes right behind the call of that script
      if (source !== 'lua') meter.close();
      meter.group++;
      meter.names ||= args.some((arg) => arg.includes(name));
    });
    return meter;
  }

  end(): number {
    this.close();
    return this.count;
  }

  private close(): void {
    if (this.names) this.count += this.group;
    [this.group, this.names] = [0, false];
  }
}

test('a file of 4 KiB costs few Redis commands', async (t) => {
  const world = await World.make(t, { start: ['scanner', 'uploader'] });
  const redis = new Redis(world.redis.url, { maxRetriesPerRequest: null });
  const queue = openUploadQueue(redis, '{sluice}', () => undefined);
  t.after(async () => {
    await queue.close();
    redis.disconnect();
  });
  // all are queued before the first is taken
  await queue.pause();
  await new Sessions(redis, '{sluice}').start({ datePrefix: '20260131', encodedSession: 's', name: 's' });
  const meter = await Meter.start(t, world.redis.url, 'small-file-');
  for (let i = 0; i < FILES; i++) world.drop(`small-file-${i}`, 4096);
  await until('all are queued', async () => (await redis.llen('{sluice}:upload:wait')) === FILES);
  // its scans name files that are under way, and how many there are depends on the machine
  await world.app('scanner').kill();
  const queueing = meter.count / FILES;
  await queue.resume();
  await until('all are done', async () => (await totals(redis, '{sluice}')).processedOk === FILES);
  await until('all receipts have ended', async () => (await redis.keys('{sluice}:receipts:*')).length === 0);
  const all = meter.end() / FILES;
  t.diagnostic(`${queueing} commands to queue a file, ${all} in all`);
  assert.ok(all <= COMMANDS_MAX, `${queueing} commands to queue a file, ${all} in all`);
});
