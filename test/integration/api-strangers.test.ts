import assert from 'node:assert/strict';
import { Redis } from 'ioredis';
import { Incoming, Sessions } from '@app/shared/records';
import { Pods, type PodReport } from '@app/shared/pods';
import { test, until } from '../support/index.js';
import { apiAlone } from './api-alone.js';

const PREFIX = '{sluice}';

/** All that a listener of `/v1/events` was told so far. */
async function listen(port: number, signal: AbortSignal): Promise<() => string> {
  const answer = await fetch(`http://127.0.0.1:${port}/v1/events`, { signal });
  let told = '';
  void (async () => {
    for await (const chunk of answer.body as AsyncIterable<Uint8Array>) told += Buffer.from(chunk).toString();
  })().catch(() => undefined);
  await until('it is connected', () => told.includes('connected'));
  return () => told;
}

test('an api tells of its own database alone, and strangers on its channel end nothing', async (t) => {
  const { redis, app, ask, post } = await apiAlone(t);
  const ended = new AbortController();
  t.after(() => ended.abort());
  const told = await listen(app.port, ended.signal);
  const other = new Redis(redis.url.replace(/0$/, '1'), { maxRetriesPerRequest: null });
  t.after(() => other.disconnect());

  const name = 'elsewhere';
  const session = { datePrefix: '20260131', encodedSession: name, name };
  await new Sessions(other, PREFIX).start(session);
  const channels = (await other.pubsub('CHANNELS', `${PREFIX}:events*`)) as string[];
  assert.equal(channels.length, 1);
  const strange = [
    ...['hello', '', '{', 'null', '5', '"x"', '[]', '[{"type":"file","session":"a"}]', '\u0000'],
    ...['{"type":"x"}', '{"type":null,"session":"a"}', '{"type":"file"}', '{"type":"file","session":5}'],
    ...['{"type":"a\\nevent: b","session":"a"}', '['.repeat(50_000)],
  ];
  for (const text of strange)
    for (const channel of [`${PREFIX}:events`, ...channels]) await other.publish(channel, text);
  // line breaks between its parts are no end of the event
  await other.publish(channels[0]!, '{"type":\n"progress",\n"session":"20260131/spread"}');

  await post('/v1/watch/start', { session_name: 'here' });
  await until('the session of this database is told', () => told().includes('/here"'));
  const events = told()
    .split('\n\n')
    .filter((event) => event.startsWith('event'));
  assert.deepEqual(
    events.map((event) => event.split('\n').filter((line) => !/^id: \d+-\d+$/.test(line)).length),
    events.map(() => 2),
  );
  assert.deepEqual(
    events.map((event) => JSON.parse(/^data: (.*)$/m.exec(event)![1]!).session.split('/')[1]),
    ['spread', 'here'],
  );
  assert.equal((await ask('/healthz')).status, 200);
  assert.ok(app.alive);
});

test('what strangers leave under the keys of the api is left out, and everything else is answered', async (t) => {
  const { redis, ask, post } = await apiAlone(t);
  const client = new Redis(redis.url, { maxRetriesPerRequest: null });
  t.after(() => client.disconnect());
  await post('/v1/watch/start', { session_name: 'mine' });
  const entry = { state: 'held' as const, why: 'held: x', since: 0, size: 1 };
  const view = { seen: 1, settling: 0, held: 1, ignored: 0, oldest_age_s: 0, unexamined: 0 };
  await new Incoming(client, PREFIX).publish(view, new Map([['good.bin', entry]]), true);
  const now = Date.now();
  const strange = ['hello', '', '{', 'null', '5', '[]', '{}', '{"state":"held"}', '['.repeat(50_000)];
  for (const [i, text] of strange.entries()) {
    await client.hset(`${PREFIX}:incoming-entries`, `strange-${i}`, text);
    await client.hset(`${PREFIX}:pods`, `unread-${i}`, text, `no-report-${i}`, `${now} ${text}`);
  }
  await client.zadd(`${PREFIX}:sessions`, 1, 'no session', 2, '20260131/odd');
  await client.hset(`${PREFIX}:session:20260131/odd`, 'name', 'odd', 'started_at', 'noon');

  const status = await ask('/v1/status');
  assert.equal(status.status, 200, status.text);
  assert.deepEqual(
    status.body.pods.map(({ role }: { role: string }) => role),
    ['api'],
  );
  const files = await ask('/v1/files');
  assert.deepEqual(
    files.body.items.map(({ filename }: { filename: string }) => filename),
    ['good.bin'],
  );
  assert.equal((await ask('/v1/files/good.bin')).body.state, 'held');
  assert.equal((await ask('/v1/files/strange-0')).status, 404);
  assert.deepEqual(
    (await ask('/v1/sessions')).body.items.map(({ session_name }: { session_name: string }) => session_name),
    ['mine'],
  );
  for (const text of strange) {
    await client.set(`${PREFIX}:incoming`, text);
    assert.equal((await ask('/v1/status')).status, 200, text.slice(0, 20));
    assert.equal((await ask('/v1/files/none')).status, 404, text.slice(0, 20));
  }
});

test('a heartbeat of the future counts as one of now: its pod does not live on for it', async (t) => {
  const { redis } = await apiAlone(t);
  const client = new Redis(redis.url, { maxRetriesPerRequest: null });
  t.after(() => client.disconnect());
  const pods = new Pods(client, PREFIX);
  const report: PodReport = {
    ...{
      id: 'dead',
      role: 'scanner',
      name: 'dead',
      version: '0',
      started_at: '',
      ready: true,
      standby: false,
    },
    ...{ volume: null, disk: { volume: null, staging: null }, problems: [], hands: [], rates: {} },
  };
  const at = async (id: string) => Number((await client.hget(`${PREFIX}:pods`, id))?.split(' ')[0]);
  const now = async () => Number((await client.time())[0]) * 1000;
  await client.hset(`${PREFIX}:pods`, 'dead', `${(await now()) + 86_400_000} ${JSON.stringify(report)}`);
  assert.ok(
    (await pods.alive()).some(({ id }) => id === 'dead'),
    'it may live',
  );
  const noted = await at('dead');
  assert.ok(
    noted <= (await now()) + 1000,
    `it counts from now on, not from ${new Date(noted).toISOString()}`,
  );
  await pods.alive();
  assert.equal(await at('dead'), noted, 'another look does not make it younger');
});
