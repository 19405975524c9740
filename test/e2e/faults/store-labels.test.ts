import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { pieceOf, seen, test, until, World } from '../../support/index.js';

const SIZE = 100_000;
const NAME = 'labelled.bin';
const GOOD = pieceOf(7, 0, SIZE);
const MD5 = createHash('md5').update(GOOD).digest();

/** What another tool does: commits bytes by block list, and labels them with the MD5 of the good file. */
async function commitWithLabel(world: World, session: string, bytes: Buffer): Promise<void> {
  const container = world.azurite.client.getContainerClient(world.container);
  const blob = container.getBlockBlobClient(`${session}/${NAME}`);
  await blob.stageBlock('AAAA', bytes, bytes.length);
  await blob.commitBlockList(['AAAA'], { blobHTTPHeaders: { blobContentMD5: MD5 } });
}

/** Stands in for a container with an immutability policy, which the emulator lacks: what is there is not overwritten. */
function refuseOverwrites(world: World): void {
  const match = ({ method, url, headers }: IncomingMessage): boolean =>
    url?.includes(NAME) === true && (method === 'DELETE' || (method === 'PUT' && 'if-match' in headers));
  world.proxy!.rules = [{ match, fault: { kind: 'status', status: 409, code: 'BlobImmutableDueToPolicy' } }];
}

function damaged(): Buffer {
  const bytes = Buffer.from(GOOD);
  bytes[5000] = (bytes[5000] ?? 0) ^ 1;
  return bytes;
}

test('damaged bytes stand under the name with the good file’s MD5 as their label: the good bytes replace them', async (t) => {
  const world = await World.make(t);
  const session = await world.startSession('label');
  await commitWithLabel(world, session, damaged());
  assert.equal(world.drop(NAME, SIZE, 7), MD5.toString('hex'));
  await world.done(1);
  assert.deepEqual(await world.blobs(), new Map([[`${session}/${NAME}`, MD5.toString('hex')]]));
  assert.deepEqual(world.filesIn(world.volume), []);
  seen(t, {
    fault: 'a blob whose Content-MD5 does not tell the truth',
    injected: 'damaged bytes of the same size, committed by block list with the good MD5 as label',
    promised: 'the label proves nothing: the good bytes are put over them',
    files: 1,
  });
});

test('the same where nothing may be overwritten: the file is quarantined, never taken for stored', async (t) => {
  const world = await World.make(t, { proxy: true });
  const session = await world.startSession('label');
  await commitWithLabel(world, session, damaged());
  refuseOverwrites(world);
  world.drop(NAME, SIZE, 7);
  await until('it is quarantined', async () => (await world.status()).queue.failed === 1);
  assert.equal((await world.status()).processed_ok, 0);
  assert.deepEqual(readFileSync(join(world.failed, session, NAME)), GOOD);
  assert.equal((await world.api(`/v1/files/${NAME}`)).body.code, 'BlobImmutableDueToPolicy');
});

test('a put is done, its answer is lost, and the blob may not be overwritten: it is found to be this very file', async (t) => {
  const world = await World.make(t, { proxy: true });
  const session = await world.startSession('lost answer');
  refuseOverwrites(world);
  let lost = false;
  const match = ({ method, url }: IncomingMessage): boolean => {
    if (lost || method !== 'PUT' || !url?.includes(NAME)) return false;
    return (lost = true);
  };
  world.proxy!.rules.unshift({ match, fault: { kind: 'lose-answer' } });
  world.drop(NAME, SIZE, 7);
  await world.done(1);
  assert.ok(lost, 'an answer was lost');
  assert.deepEqual(await world.blobs(), new Map([[`${session}/${NAME}`, MD5.toString('hex')]]));
  assert.equal((await world.status()).processed_err, 0);
});

test('a block list is committed, its answer is lost, and the blob may not be overwritten: it is found to be this very file', async (t) => {
  const world = await World.make(t, { proxy: true });
  const session = await world.startSession('lost commit');
  const isCommit = ({ method, url }: IncomingMessage): boolean =>
    method === 'PUT' && url?.includes(NAME) === true && url.includes('comp=blocklist');
  let commits = 0;
  world.proxy!.rules = [
    { match: (request) => isCommit(request) && commits++ === 0, fault: { kind: 'lose-answer' } },
    { match: isCommit, fault: { kind: 'status', status: 409, code: 'BlobImmutableDueToPolicy' } },
  ];
  const md5 = world.drop(NAME, 9 * 1024 * 1024, 7);
  await world.done(1);
  assert.ok(commits > 1, 'the commit was tried again');
  assert.deepEqual(await world.blobs(), new Map([[`${session}/${NAME}`, md5]]));
  assert.equal((await world.status()).processed_err, 0);
});

test('a file that the store holds already is committed anew, so that nobody who read the blob before may overwrite it', async (t) => {
  const world = await World.make(t, { proxy: true });
  const proxy = world.proxy!;
  const session = await world.startSession('same again');
  const blob = world.azurite.client
    .getContainerClient(world.container)
    .getBlockBlobClient(`${session}/same.bin`);
  const md5 = world.drop('same.bin', 9 * 2 ** 20, 5);
  await world.done(1);
  const before = await blob.getProperties();
  const sent = proxy.counts.get('PUT block');
  world.drop('same.bin', 9 * 2 ** 20, 5);
  await world.done(2);
  const after = await blob.getProperties();
  assert.notEqual(after.etag, before.etag);
  assert.equal(proxy.counts.get('PUT block'), sent, 'no block is sent again');
  assert.deepEqual(await world.blobs(), new Map([[`${session}/same.bin`, md5]]));
});
