import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { StorageSharedKeyCredential } from '@azure/storage-blob';
import { Redis } from 'ioredis';
import { WaysOut } from '@app/shared/network';
import { Moves, StoredFiles } from '@app/shared/records';
import { BlobStore } from '../../apps/uploader/blob-store/blob-store.js';
import { openContainer, type BodyDigests } from '../../apps/uploader/blob-store/pipeline.js';
import { SessionVerifier } from '../../apps/uploader/verify-session/verify-page.js';
import { blockId } from '@app/shared/domain';
import { ACCOUNT, Proxy, test, TestAzurite, type TestContext, TestRedis } from '../support/index.js';

const PREFIX = '{sluice}';
const session = { datePrefix: '20260131', encodedSession: 's' };
const signal = new AbortController().signal;
const QUESTION = { session: '20260131/s', after: 0, block: 0, deep: false, rate: null, budget_ms: 60_000 };

async function stage(t: TestContext) {
  const [server, azurite] = await Promise.all([TestRedis.start(), TestAzurite.start()]);
  const redis = new Redis(server.url);
  const proxy = await Proxy.start(azurite.port);
  const account = `http://127.0.0.1:${proxy.port}/${ACCOUNT.name}`;
  const waysOut = new WaysOut({ https: null, http: null, except: [] }, { sockets: 16, idleMs: 30_000 });
  t.after(async () => {
    waysOut.agent(new URL(account)).destroy();
    redis.disconnect();
    await Promise.all([server.end(), azurite.end(), proxy.end()]);
  });
  const container = azurite.client.getContainerClient('ingest');
  await container.create();
  const digests: BodyDigests = new WeakMap();
  const credential = new StorageSharedKeyCredential(ACCOUNT.name, ACCOUNT.key);
  const store = new BlobStore(openContainer(account, 'ingest', credential, digests, waysOut), digests);
  const moves = new Moves(redis, PREFIX);
  const done = async (
    filename: string,
    size: number,
    facts: { md5?: string; etag?: string; tier?: string } = {},
  ) => {
    await moves.queued([{ session, filename, size }], '');
    const blobUrl = `https://x.invalid/${filename}`;
    const more = { md5: null, mtimeMs: 0, attempts: 1, pod: 'u', maxFiles: 1e6, ...facts };
    await moves.receipt(session, filename, filename + size, { blobUrl, size, ...more });
  };
  const files = new StoredFiles(redis, PREFIX);
  return {
    container,
    store,
    done,
    proxy,
    redis,
    verifier: new SessionVerifier(store, files),
  };
}

test('a session larger than a page is walked to its end, each name once, with its newest drop', async (t) => {
  const { done, verifier } = await stage(t);
  const all = 1250;
  for (let at = 0; at < all; at += 50)
    await Promise.all(Array.from({ length: 50 }, (_, i) => done(`f${at + i}`, 1)));
  await done('f3', 2);
  const missing: string[] = [];
  let [questions, superseded] = [0, 0];
  for (let place: { after: number; block: number } | null = QUESTION; place; questions++) {
    const page = await verifier.answer({ ...QUESTION, ...place }, signal);
    missing.push(...page.differing.map(({ filename }) => filename));
    superseded += page.superseded;
    place = page.next;
  }
  assert.equal(questions, 2);
  assert.equal(superseded, 1);
  assert.deepEqual(missing.sort(), Array.from({ length: all }, (_, i) => `f${i}`).sort());
});

test('a large blob is read in as many questions as it takes, and a damaged block is found in the last one', async (t) => {
  const { done, verifier, container } = await stage(t);
  const size = 10 * 1024 * 1024;
  const bytes = Buffer.alloc(size, 'x');
  const blob = container.getBlockBlobClient('20260131/s/large');
  const pieces = Array.from({ length: 10 }, (_, i) => bytes.subarray((i * size) / 10, ((i + 1) * size) / 10));
  const ids = pieces.map((piece, i) => blockId(i, createHash('md5').update(piece).digest()));
  const put = async () => {
    for (const [i, piece] of pieces.entries()) await blob.stageBlock(ids[i]!, piece, piece.length);
    await blob.commitBlockList(ids);
  };
  await put();
  await done('large', size);
  const walk = async (): Promise<string[]> => {
    const told: string[] = [];
    for (let place: { after: number; block: number } | null = QUESTION; place;) {
      const page = await verifier.answer({ ...QUESTION, ...place, deep: true, budget_ms: 0 }, signal);
      told.push(...page.differing.map(({ detail }) => detail), `bytes ${page.proved_by.bytes}`);
      place = page.next;
    }
    return told;
  };
  const clean = await walk();
  assert.deepEqual(clean, [...Array(9).fill('bytes 0'), 'bytes 1', 'bytes 0']);
  pieces[9]![3] = 1;
  await put();
  const damaged = await walk();
  assert.match(damaged[9] ?? '', /\(block 9\) are not what was uploaded/);
});

test('a rate is kept to, a client that goes ends the reading, and a store that fails keeps what was found', async (t) => {
  const { done, verifier, container, proxy } = await stage(t);
  const bytes = Buffer.alloc(2 * 1024 * 1024, 'y');
  const md5 = createHash('md5').update(bytes).digest('hex');
  for (const name of ['a', 'b']) {
    await container.getBlockBlobClient(`20260131/s/${name}`).upload(bytes, bytes.length);
    await done(name, bytes.length, { md5 });
  }
  const began = performance.now();
  const page = await verifier.answer({ ...QUESTION, deep: true, rate: 2 * 1024 * 1024 }, signal);
  assert.equal(page.proved_by.bytes, 2);
  const took = performance.now() - began;
  assert.ok(took > 1900, `4 MiB at 2 MiB/s took ${took} ms`);

  const client = new AbortController();
  const reading = verifier.answer({ ...QUESTION, deep: true, rate: 1 }, client.signal);
  client.abort();
  await assert.rejects(reading);

  // eight are looked at together
  for (let i = 0; i < 9; i++) await done(`late-${i}`, 1);
  const fault = { kind: 'status', status: 403, code: 'AuthorizationFailure' } as const;
  proxy.rules = [{ match: ({ url }) => url?.includes('late-8') === true, fault }];
  const part = await verifier.answer({ ...QUESTION, after: 2 }, signal);
  assert.deepEqual([part.checked, part.next], [8, { after: 10, block: 0 }]);
  await assert.rejects(verifier.answer({ ...QUESTION, ...part.next }, signal), /403/);
  await assert.rejects(verifier.answer({ ...QUESTION, session: '../x' }, signal), /cannot be read/);
});

test('a tier is compared with the one that was asked for when the blob was stored', async (t) => {
  const { done, verifier, container } = await stage(t);
  const wanted = { 'as asked': 'Cool', heated: 'Cool', plain: undefined, cooled: undefined };
  for (const [name, tier] of Object.entries(wanted)) {
    const blob = container.getBlockBlobClient(`20260131/s/${name}`);
    await blob.upload('x', 1, { tier: tier ?? undefined });
    if (name === 'heated') await blob.setAccessTier('Hot');
    if (name === 'cooled') await blob.setAccessTier('Cool');
    await done(name, 1, { tier });
  }
  const { differing } = await verifier.answer(QUESTION, signal);
  assert.deepEqual(differing, [
    { filename: 'heated', what: 'tier', detail: 'it is in Hot, Cool was asked for' },
    { filename: 'cooled', what: 'tier', detail: 'it is in Cool, no tier was asked for' },
  ]);
});
