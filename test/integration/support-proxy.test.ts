import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { BlobServiceClient, StorageSharedKeyCredential, type BlockBlobClient } from '@azure/storage-blob';
import { Redis } from 'ioredis';
import {
  ACCOUNT,
  Proxy,
  RedisProxy,
  type Rule,
  TcpProxy,
  test,
  TestAzurite,
  TestContext,
  TestRedis,
  until,
} from '../support/index.js';

const isBlock: Rule['match'] = (request) => request.url?.includes('comp=block&') ?? false;

describe('the store, seen through the proxy, misbehaves as it is told to', () => {
  const all = new TestContext('the store');
  let { proxy, blob, read } = {} as Awaited<ReturnType<typeof store>>;
  beforeAll(async () => {
    ({ proxy, blob, read } = await store(all));
  });
  afterAll(() => all.end());
  const id = Buffer.from('0000').toString('base64');
  const bytes = randomBytes(200_000);
  const stage = (): Promise<unknown> =>
    blob.stageBlock(id, bytes, bytes.length, {
      transactionalContentMD5: createHash('md5').update(bytes).digest(),
    });

  test('it passes and counts', async () => {
    await stage();
    await blob.commitBlockList([id]);
    assert.deepEqual(await read(), bytes);
    assert.equal(proxy.uploadedBytes, bytes.length);
    assert.equal(proxy.counts.get('PUT block'), 1);
    assert.equal(proxy.counts.get('PUT blocklist'), 1);
  });

  test('a status is answered to the chosen requests alone', async () => {
    proxy.rules = [{ match: isBlock, fault: { kind: 'status', status: 503, code: 'ServerBusy' } }];
    await assert.rejects(stage(), { statusCode: 503 });
    assert.equal(await blob.exists(), true);
  });

  test('damage is refused by the service', async () => {
    proxy.rules = [{ match: isBlock, fault: { kind: 'damage' } }];
    await assert.rejects(stage(), { statusCode: 400 });
  });

  test('a lost answer, a cut and a reset are errors of the connection', async () => {
    for (const fault of [
      { kind: 'lose-answer' },
      { kind: 'cut', afterBytes: 1000 },
      { kind: 'reset' },
    ] as const) {
      proxy.rules = [{ match: isBlock, fault }];
      await assert.rejects(stage(), /ECONNRESET|socket hang up|EPIPE/, fault.kind);
    }
  });

  test('what is held goes on whole', async () => {
    proxy.rules = [{ match: isBlock, fault: { kind: 'hold' } }];
    const staged = stage();
    await until('the block is held', () => proxy.holding === 1);
    proxy.release();
    await staged;
  });

  test('what is delayed arrives, and so does what is slowed', async () => {
    proxy.always({ kind: 'delay', ms: 100 });
    await stage();
    proxy.pass();
    proxy.bytesPerSecond = 1_000_000;
    await stage();
    proxy.bytesPerSecond = 0;
  });

  test('refused, and back on the same port', async () => {
    await proxy.refuse();
    await assert.rejects(stage(), /ECONNREFUSED|ECONNRESET|socket hang up/);
    await proxy.listen();
    await until('it passes again', () => stage().then(() => true));
  });
});

test('Redis, seen through the proxy, is cut, stalls and comes back', async (t) => {
  const redis = await TestRedis.start();
  const proxy = await TcpProxy.start(redis.port);
  const client = new Redis(proxy.port, '127.0.0.1', { retryStrategy: () => 50 });
  client.on('error', () => undefined);
  t.after(async () => {
    client.disconnect();
    await proxy.end();
    await redis.end();
  });
  await client.set('kept', 'yes');

  let answered = false;
  proxy.stall();
  const stalled = client.get('kept').finally(() => (answered = true));
  await redis.use((straight) => straight.ping());
  assert.equal(answered, false);
  await proxy.pass();
  assert.equal(await stalled, 'yes');

  const before = proxy.accepted;
  proxy.cut();
  await until('it connects again', () => proxy.accepted > before);
  assert.equal(await client.get('kept'), 'yes');

  proxy.reset();
  const resets = proxy.accepted;
  await until('it is reset again and again', () => proxy.accepted > resets + 1);
  await proxy.pass();
  assert.equal(await client.get('kept'), 'yes');

  await proxy.refuse();
  await until('it is refused', () => client.status === 'reconnecting');
  await proxy.pass();
  assert.equal(await client.get('kept'), 'yes');
});

async function store(
  t: TestContext,
): Promise<{ proxy: Proxy; blob: BlockBlobClient; read: () => Promise<Buffer> }> {
  const azurite = await TestAzurite.start();
  const proxy = await Proxy.start(azurite.port);
  t.after(async () => {
    await proxy.end();
    await azurite.end();
  });
  const straight = azurite.client.getContainerClient('ingest');
  await straight.create();
  const seen = new BlobServiceClient(
    `http://127.0.0.1:${proxy.port}/${ACCOUNT.name}`,
    new StorageSharedKeyCredential(ACCOUNT.name, ACCOUNT.key),
    { retryOptions: { maxTries: 1 } },
  );
  const blob = seen.getContainerClient('ingest').getBlockBlobClient('a.bin');
  return { proxy, blob, read: () => straight.getBlobClient('a.bin').downloadToBuffer() };
}

test('a command to Redis is lost before it is done, or after', async (t) => {
  const redis = await TestRedis.start();
  let fault: 'before' | 'after' | null = null;
  const names: string[] = [];
  const proxy = await RedisProxy.start(redis.port, (name) => {
    names.push(name);
    return name === 'INCR' ? fault : null;
  });
  const client = new Redis({ port: proxy.port, host: '127.0.0.1', retryStrategy: () => null });
  client.on('error', () => undefined);
  t.after(async () => {
    client.disconnect();
    await proxy.end();
    await redis.end();
  });
  const count = () => redis.use((direct) => direct.get('count'));
  const large = randomBytes(300_000).toString('hex');

  assert.deepEqual(
    await Promise.all([
      client.set('large', large),
      client.get('large'),
      client.mget('large', 'none'),
      client.multi().incr('count').hgetall('none').exec(),
      client.eval('return {1, {"a", false}}', 0),
    ]),
    [
      'OK',
      large,
      [large, null],
      [
        [null, 1],
        [null, {}],
      ],
      [1, ['a', null]],
    ],
  );
  assert.ok(['SET', 'GET', 'MGET', 'MULTI', 'INCR', 'EXEC', 'EVAL'].every((name) => names.includes(name)));

  for (const [when, after] of [
    ['before', '1'],
    ['after', '2'],
  ] as const) {
    fault = when;
    if (client.status !== 'ready') await client.connect();
    const lost = await Promise.allSettled([client.incr('count'), client.incr('count')]);
    assert.deepEqual(
      lost.map(({ status }) => status),
      ['rejected', 'rejected'],
      when,
    );
    assert.equal(await count(), after, when);
  }
});
