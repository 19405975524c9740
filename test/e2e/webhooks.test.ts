import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Queue } from 'bullmq';
import { Webhook } from 'standardwebhooks';
import { freePort, seen, test, type TestContext, until, World } from '../support/index.js';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=';
const REDIS_PREFIX = '{sluice}';

interface Got {
  readonly id: string;
  readonly type: string;
  readonly body: string;
  readonly how: string;
}

/** What the receiver does with an event. */
type How = 'takes it' | '500' | 'redirects' | 'hangs' | 'takes it slowly';

/** A receiver of webhooks, which proves each signature. */
class Receiver {
  how: How = 'takes it';
  readonly got: Got[] = [];
  readonly elsewhere: string[] = [];
  private server: Server | null = null;

  constructor(
    readonly port: number,
    t: TestContext,
  ) {
    t.after(() => this.end());
  }

  async start(): Promise<void> {
    const server = createServer((request, response) => void this.take(request, response));
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.server = server;
  }

  end(): void {
    this.server?.closeAllConnections();
    this.server?.close();
  }

  /** Ids by type of those that were taken. */
  taken(): Map<string, string[]> {
    const taken = new Map<string, string[]>();
    for (const { id, type, how } of this.got)
      if (how.startsWith('takes it')) taken.set(type, [...new Set([...(taken.get(type) ?? []), id])]);
    return taken;
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url !== '/hook') {
      this.elsewhere.push(request.url ?? '');
      return void response.end();
    }
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const event = new Webhook(SECRET).verify(body, request.headers as Record<string, string>) as any;
    assert.equal(request.headers['content-type'], 'application/cloudevents+json; charset=utf-8');
    assert.equal(request.headers['webhook-id'], event.id);
    const { how } = this;
    this.got.push({ id: event.id, type: event.type, body, how });
    if (how === 'hangs') return;
    if (how === 'redirects') response.setHeader('Location', `http://127.0.0.1:${this.port}/elsewhere`);
    response.statusCode = how === '500' ? 500 : how === 'redirects' ? 307 : 204;
    if (how === 'takes it slowly') setTimeout(() => response.end(), 1_000);
    else response.end();
  }
}

/** Lets the events that wait for their next attempt be sent now. */
async function hurry(world: World): Promise<void> {
  const queue = new Queue('notify', {
    connection: { host: '127.0.0.1', port: world.redis.port },
    prefix: REDIS_PREFIX,
  });
  queue.on('error', () => undefined);
  for (const job of await queue.getDelayed()) await job.promote().catch(() => undefined);
  await queue.close();
}

/** Waits until the receiver has got `count` events in this way. */
async function attempts(world: World, receiver: Receiver, how: How, count: number): Promise<void> {
  receiver.how = how;
  await until(
    `${count} different events come while the receiver ${how}`,
    async () => {
      await hurry(world);
      const ids = new Set(receiver.got.filter((got) => got.how === how).map(({ id }) => id));
      if (ids.size >= count) return true;
      throw new Error(JSON.stringify(receiver.got.map(({ id, type, how: was }) => [id, type, was])));
    },
    120_000,
  );
}

test('every event reaches the webhook, whatever becomes of receiver, api and Redis, always with its own id', async (t) => {
  const receiver = new Receiver(await freePort(), t);
  const world = await World.make(t, {
    appendonly: true,
    env: {
      APP_WEBHOOK_URL: `http://127.0.0.1:${receiver.port}/hook`,
      APP_WEBHOOK_SECRET: SECRET,
    },
  });
  const outbox = () => world.redis.use((client) => client.xlen(`${REDIS_PREFIX}:outbox`));
  await world.api('/v1/watch/start', { session_name: 'night', expect: { files: 2 } });
  world.drop('a.bin', 1000);
  await world.done(1);
  // nobody is there who could queue it
  await world.app('api').kill();
  world.drop('b.bin', 2000);
  await until('the event is kept', async () => (await outbox()) === 1);
  await (await world.start('api')).ready();
  await until('it is queued', async () => (await outbox()) === 0);

  await world.api('/v1/watch/start', { session_name: 'other' });
  world.drop('bad.', 10);
  await until('it is quarantined', async () => (await world.status()).processed_err === 1);
  await world.api('/v1/watch/stop', {});
  await until('it is said', async () => {
    const { problems } = await world.status();
    if (problems.some((problem: string) => /^The webhook does not take events: 4 wait/.test(problem)))
      return true;
    throw new Error(JSON.stringify(problems));
  });

  await receiver.start();
  await attempts(world, receiver, '500', 4);
  await attempts(world, receiver, 'redirects', 4);
  await world.app('api').stop();
  await world.redis.kill();
  await world.redis.start();
  await (await world.start('api')).ready();
  await attempts(world, receiver, 'hangs', 4);
  await world.app('api').kill();
  await (await world.start('api')).ready();
  await attempts(world, receiver, 'takes it slowly', 4);
  await until('nothing is said any more', async () => {
    const { problems } = await world.status();
    if (!problems.some((problem: string) => problem.startsWith('The webhook'))) return true;
    throw new Error(JSON.stringify(problems));
  });

  assert.deepEqual(receiver.elsewhere, []);
  const taken = receiver.taken();
  const counts = (of: Map<string, string[]>) =>
    Object.fromEntries([...of].map(([type, ids]) => [type, ids.length]).sort());
  assert.deepEqual(counts(taken), {
    'sluice.file.quarantined': 1,
    'sluice.session.complete': 1,
    'sluice.session.finished': 2,
  });
  // an event is the same however often it is sent
  assert.equal(new Set(receiver.got.map(({ body }) => body)).size, 4);
  const bodies = receiver.got.map(({ body }) => JSON.parse(body));
  const complete = bodies.find(({ type }) => type === 'sluice.session.complete');
  assert.equal(complete.specversion, '1.0');
  assert.match(complete.source, /^\/v1\/sessions\/\d{8}\/night$/);
  assert.deepEqual(complete.data.files, { done: 2, failed: 0 });
  assert.deepEqual([complete.data.session_name, complete.data.bytes.done], ['night', 3000]);
  const quarantined = bodies.find(({ type }) => type === 'sluice.file.quarantined');
  assert.deepEqual([quarantined.data.filename, quarantined.data.code], ['bad.', 'InvalidBlobName']);

  // the same session finishes again: another event
  await world.startSession('other');
  await world.api('/v1/watch/stop', {});
  await until('it has come', () => receiver.taken().get('sluice.session.finished')?.length === 3);
  assert.match((await world.api('/admin/queues/api/queues')).text, /"notify"/);
  for (const app of world.apps)
    assert.ok(!(app.stdout + app.stderr).includes(SECRET.slice(6)), `${app.role} printed the secret`);
  seen(t, {
    fault:
      'the receiver of the webhook is down, answers 500, redirects, hangs, or is slow; api and Redis restart meanwhile',
    injected:
      'connection refused, 500, 307, silence, 1 s; SIGKILL and SIGTERM to the api, SIGKILL to Redis with AOF',
    promised: 'every event comes, with one id each, signed; no redirect is followed',
    files: 3,
  });
});
