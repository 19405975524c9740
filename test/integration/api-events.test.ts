import assert from 'node:assert/strict';
import { keptKey } from '@app/shared/records';
import { test, type TestContext, until } from '../support/index.js';
import { seeded } from './api-seeded.js';
import { ScannerAlone, SESSION } from './scanner-alone.js';

const KEY = '20260131/my%20session';
const FACTS = {
  ...{ blobUrl: 'https://x/ingest/20260131/my%2520session/a.bin', size: 5, md5: null, mtimeMs: 1 },
  ...{ attempts: 1, pod: 'a', maxFiles: 100 },
};

interface Heard {
  readonly id: string | null;
  readonly event: string | null;
  readonly data: any;
}

/** A client of the stream as the standard has it: what it was told, and the id that it remembers. */
class Client {
  readonly heard: Heard[] = [];
  lastId: string | null = null;
  private readonly ending = new AbortController();

  static async connect(t: TestContext, port: number, lastId?: string): Promise<Client> {
    const client = new Client();
    t.after(() => client.leave());
    const { body } = await fetch(`http://127.0.0.1:${port}/v1/events`, {
      headers: lastId === undefined ? {} : { 'last-event-id': lastId },
      signal: client.ending.signal,
    });
    void client.read(body as AsyncIterable<Uint8Array>).catch(() => undefined);
    if (lastId === undefined) await until('it knows where it begins', () => client.lastId !== null);
    return client;
  }

  leave(): void {
    this.ending.abort();
  }

  get events(): Heard[] {
    return this.heard.filter(({ event }) => event !== null);
  }

  private async read(body: AsyncIterable<Uint8Array>): Promise<void> {
    let rest = '';
    for await (const chunk of body) {
      const blocks = (rest + Buffer.from(chunk).toString()).split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) {
        const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? null;
        this.lastId = field('id') ?? this.lastId;
        this.heard.push({
          id: field('id'),
          event: field('event'),
          data: JSON.parse(field('data') ?? 'null'),
        });
      }
    }
  }
}

const words = ({ event, data }: Heard): string =>
  [event, data.filename, data.state ?? data.bytes].filter((word) => word !== undefined).join(' ');

test('a client that comes back is told what it missed, from the event on that it heard last', async (t) => {
  const { app, moves, client: redis } = await seeded(t);
  const first = await Client.connect(t, app.port);
  const files = ['a.bin', 'b.bin', 'c.bin'].map((filename) => ({ session: SESSION, filename, size: 5 }));
  await moves.queued(files, '');
  await until('it hears of all three', () => first.events.length === 3);
  first.leave();
  assert.equal(new Set(first.events.map(({ id }) => id)).size, 3, 'each has an id of its own');
  assert.deepEqual(first.events.map(words), ['file a.bin queued', 'file b.bin queued', 'file c.bin queued']);

  await moves.begin(files[0]!, 'run', false, 'uploader-0');
  await moves.progress(SESSION, 'a.bin', 3);
  await moves.receipt(SESSION, 'a.bin', 'claim', FACTS);
  await moves.quarantined(files[1]!, {
    why: 'failed: refused',
    attempts: 1,
    code: 'InvalidInput',
    count: true,
  });
  // it was told of one of the three that were queued together
  const back = await Client.connect(t, app.port, first.events[0]!.id!);
  await moves.begin(files[2]!, 'run', false, 'uploader-0');
  await until('it hears of what happens now', () =>
    back.events.some((one) => words(one) === 'file c.bin active'),
  );
  assert.deepEqual(back.events.map(words), [
    ...['file b.bin queued', 'file c.bin queued', 'file a.bin active', 'progress a.bin 3'],
    ...['file a.bin done', 'file b.bin failed', 'file c.bin active'],
  ]);
  const dataOf = (sentence: string) => back.events.find((one) => words(one) === sentence)?.data;
  assert.deepEqual(dataOf('file a.bin done'), {
    ...{
      type: 'file',
      filename: 'a.bin',
      session: KEY,
      state: 'done',
      why: 'verified in the store',
      size: 5,
    },
    url: FACTS.blobUrl,
  });
  assert.deepEqual(dataOf('file b.bin failed'), {
    ...{ type: 'file', filename: 'b.bin', session: KEY, state: 'failed', why: 'failed: refused', size: 5 },
    code: 'InvalidInput',
  });
  assert.equal(dataOf('file b.bin queued').size, 5);

  // the same after the last of the three: nothing of them comes again
  const last = await Client.connect(t, app.port, first.events[2]!.id!);
  await until('it hears the rest', () => last.events.length === 5);
  assert.equal(words(last.events[0]!), 'file a.bin active');

  // what it heard last is kept no more; neither is the id of another server
  await redis.xtrim(keptKey('{sluice}'), 'MAXLEN', 2);
  for (const id of [first.lastId!, '5-0', 'nonsense', `${Date.now() + 1e9}-0`]) {
    const late = await Client.connect(t, app.port, id);
    await until(`${id} is told what is kept`, () => late.events.length === 3);
    assert.deepEqual(late.events.map(words), ['reset', 'file b.bin failed', 'file c.bin active'], id);
    assert.match(late.events[0]!.data.why, /no longer kept/);
  }
});

test('a loss of the connection to Redis swallows no event, and thousands are told to a slow reader', async (t) => {
  const { app, moves, client: redis } = await seeded(t);
  const listener = await Client.connect(t, app.port);
  const start = listener.lastId!;
  const kill = async () =>
    assert.ok(Number(await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub')) > 0, 'the api has a subscription');
  for (const filename of ['a.bin', 'b.bin', 'c.bin']) {
    await kill();
    await moves.queued([{ session: SESSION, filename, size: 1 }], '');
    await until(
      'it subscribes again',
      async () => String(await redis.call('CLIENT', 'LIST', 'TYPE', 'pubsub')) !== '',
    );
  }
  await until('it hears of all', () => listener.events.length >= 3);
  assert.deepEqual(listener.events.map(words), [
    'file a.bin queued',
    'file b.bin queued',
    'file c.bin queued',
  ]);

  const many = Array.from({ length: 9000 }, (_, i) => ({ session: SESSION, filename: `many-${i}`, size: 1 }));
  await moves.queued(many, '');
  const late = await Client.connect(t, app.port, start);
  await until('it hears of all', () => late.events.length >= 9003);
  assert.equal(new Set(late.events.map(words)).size, 9003);
});

test('a file that is dropped is told of before it is queued', async (t) => {
  const alone = await ScannerAlone.make(t, { APP_MIN_FILE_AGE_S: '0' });
  await (await alone.start()).ready();
  alone.put(`${alone.incoming}/a.bin`, 'seven b');
  const told = async () =>
    (await alone.client.xrange(keptKey('{sluice}'), '-', '+')).flatMap(([, [, text]]) => JSON.parse(text!));
  const [first] = await until('it is told', async () => {
    const messages = await told();
    return messages.length > 0 ? messages : null;
  });
  assert.deepEqual(
    first.events.map(({ why, ...event }: { why: string }) => event),
    ['dropped', 'settling'].map((state) => ({
      type: 'file',
      filename: 'a.bin',
      session: null,
      size: 7,
      state,
    })),
  );
  await alone.startSession();
  await until('it is queued', async () => (await told()).some(({ state }) => state === 'queued'));
});
