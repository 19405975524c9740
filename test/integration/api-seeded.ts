import { Redis } from 'ioredis';
import { Pods } from '@app/shared/pods';
import { openUploadQueue, type UploadQueue } from '@app/shared/queue';
import { Incoming, Moves, Sessions } from '@app/shared/records';
import type { TestContext } from '../support/index.js';
import { apiAlone, type ApiAlone } from './api-alone.js';

const PREFIX = '{sluice}';

/** An api, and the hands of the other processes on its Redis. */
export interface Seeded extends ApiAlone {
  readonly client: Redis;
  readonly moves: Moves;
  readonly incoming: Incoming;
  readonly pods: Pods;
  readonly sessions: Sessions;
  readonly queue: UploadQueue;
}

/** Starts them; they end with the test. */
export async function seeded(t: TestContext): Promise<Seeded> {
  const api = await apiAlone(t);
  const client = new Redis(api.redis.url, { maxRetriesPerRequest: null });
  const queue = openUploadQueue(client, PREFIX, () => undefined);
  t.after(async () => {
    await queue.close();
    client.disconnect();
  });
  return {
    ...api,
    client,
    queue,
    moves: new Moves(client, PREFIX),
    incoming: new Incoming(client, PREFIX),
    pods: new Pods(client, PREFIX),
    sessions: new Sessions(client, PREFIX),
  };
}
