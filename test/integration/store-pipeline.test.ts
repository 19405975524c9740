import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { StorageSharedKeyCredential } from '@azure/storage-blob';
import { blockId, StoreError } from '@app/shared/domain';
import { WaysOut } from '@app/shared/network';
import { BlobStore } from '../../apps/uploader/blob-store/blob-store.js';
import { openContainer, type BodyDigests } from '../../apps/uploader/blob-store/pipeline.js';
import { PLAIN_LABELS } from '../../apps/uploader/blob-store/writes.js';
import { ACCOUNT, Proxy, test, TestAzurite, type TestContext } from '../support/index.js';

const BYTES = Buffer.alloc(5000, 'sluice');
const MD5 = createHash('md5').update(BYTES).digest();
const LABELS = { ...PLAIN_LABELS, contentType: 'text/plain', md5: MD5 };

async function open(t: TestContext) {
  const azurite = await TestAzurite.start();
  t.after(() => azurite.end());
  await azurite.client.getContainerClient('ingest').create();
  const proxy = await Proxy.start(azurite.port);
  t.after(() => proxy.end());
  const waysOut = new WaysOut({ https: null, http: null, except: [] }, { sockets: 4, idleMs: 30_000 });
  const digests: BodyDigests = new WeakMap();
  const account = `http://127.0.0.1:${proxy.port}/${ACCOUNT.name}`;
  t.after(() => waysOut.agent(new URL(account)).destroy());
  const credential = new StorageSharedKeyCredential(ACCOUNT.name, ACCOUNT.key);
  const store = new BlobStore(openContainer(account, 'ingest', credential, digests, waysOut), digests);
  const signal = new AbortController().signal;
  return {
    proxy,
    putWhole: () => store.putWhole('a/whole', BYTES, MD5, LABELS, { absent: true }, signal),
    putBlock: () => store.putBlock('a/block', blockId(0, MD5), BYTES, MD5, signal),
  };
}

// Each test runs every way of the SDK that our bytes take: one that hands its requests past ours is found here.
test('every body that is sent carries its transactional Content-MD5, over connections that are kept', async (t) => {
  const { proxy, putWhole, putBlock } = await open(t);
  const seen: IncomingHttpHeaders[] = [];
  const ports = new Set<number | undefined>();
  const match = ({ method, headers, socket }: Parameters<Proxy['rules'][0]['match']>[0]): boolean => {
    if (method === 'PUT') seen.push(headers);
    ports.add(socket.remotePort);
    return false;
  };
  proxy.rules = [{ match, fault: { kind: 'reset' } }];
  assert.equal((await putWhole()).written, true);
  for (let i = 0; i < 5; i++) await putBlock();
  assert.deepEqual([...new Set(seen.map((headers) => headers['content-md5']))], [MD5.toString('base64')]);
  assert.equal(seen.length, 6);
  assert.ok(seen.every((headers) => String(headers['user-agent']).startsWith('sluice ')));
  assert.equal(ports.size, 1);
});

test('a body that is damaged on its way is refused, whole or as a block', async (t) => {
  const { proxy, putWhole, putBlock } = await open(t);
  proxy.always({ kind: 'damage' });
  for (const put of [putWhole, putBlock])
    await assert.rejects(put(), (error: unknown) => error instanceof StoreError && error.status === 400);
});

test('a page in the place of an answer is no success, whatever its status', async (t) => {
  const { proxy, putWhole, putBlock } = await open(t);
  proxy.always({ kind: 'page', status: 201 });
  for (const put of [putWhole, putBlock])
    await assert.rejects(
      put(),
      (error: unknown) => error instanceof StoreError && error.code === 'NotABlobService',
    );
});
