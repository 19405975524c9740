import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { type Fault, pieceOf, seen, test, until, World } from '../../support/index.js';

const MIB = 1024 * 1024;
const POLICY = 'x-ms-has-immutability-policy';
const HOLD = 'x-ms-has-legal-hold';
const VERSIONS = 'x-ms-immutable-storage-with-versioning-enabled';

/** How a container says that it is immutable, or leaves it open. */
const IMMUTABLE: Readonly<Record<string, Fault>> = {
  policy: { kind: 'headers', headers: { [POLICY]: 'true' } },
  hold: { kind: 'headers', headers: { [HOLD]: 'true' } },
  versions: { kind: 'headers', headers: { [VERSIONS]: 'true' } },
  silent: { kind: 'headers', headers: { [POLICY]: null, [HOLD]: null } },
  refused: { kind: 'status', status: 403, code: 'AuthorizationPermissionMismatch' },
  unable: { kind: 'status', status: 500, code: 'InternalError' },
};

function blobOf(world: World, name: string) {
  return world.azurite.client.getContainerClient(world.container).getBlockBlobClient(name);
}

/** An uncommitted block of another tool, with an id of another length. */
async function leaveForeignBlock(world: World, name: string): Promise<void> {
  await blobOf(world, name).stageBlock(Buffer.from('another tool').toString('base64'), Buffer.from('x'), 1);
}

/** A container where what is there is neither deleted nor overwritten. @returns requests that would commit a list or delete */
function beImmutable(world: World, properties: Fault): { harmful: string[] } {
  const harmful: string[] = [];
  const asks = ({ url = '' }: IncomingMessage): boolean =>
    /restype=container/.test(url) && !/comp=/.test(url);
  const overwrites = ({ method, url = '', headers }: IncomingMessage): boolean => {
    if (/comp=blocklist/.test(url) && method === 'PUT') harmful.push(url);
    if (method === 'DELETE') harmful.push(url);
    return method === 'DELETE' || (method === 'PUT' && 'if-match' in headers);
  };
  world.proxy!.rules = [
    { match: asks, fault: properties },
    { match: overwrites, fault: { kind: 'status', status: 409, code: 'BlobImmutableDueToPolicy' } },
  ];
  return { harmful };
}

test('blocks of another tool where the container is or may be immutable: one put of the real content clears them', async (t) => {
  const world = await World.make(t, { proxy: true });
  const session = await world.startSession('immutable');
  const wanted = new Map<string, string>();
  for (const [kind, properties] of Object.entries(IMMUTABLE)) {
    const name = `${session}/${kind}`;
    await leaveForeignBlock(world, name);
    const { harmful } = beImmutable(world, properties);
    wanted.set(name, world.drop(kind, 9 * MIB));
    await world.done(wanted.size);
    assert.deepEqual(harmful, [], kind);
    assert.deepEqual((await blobOf(world, name).getBlockList('committed')).committedBlocks, [], kind);
  }
  assert.deepEqual(await world.blobs(), wanted);
  assert.equal((await world.status()).processed_err, 0);
  seen(t, {
    fault: 'foreign blocks, and the container is immutable',
    injected: 'a block with another id; a proxy that says so of it, or nothing',
    promised: 'one put of the real content clears them; nothing empty is ever committed',
    files: wanted.size + 1,
  });
});

test('the same with a file over the memory for blocks: quarantined; where the container is not immutable they are cleared', async (t) => {
  const env = { APP_BLOCK_MEMORY: String(8 * MIB), APP_AZURE_MAX_BLOCK_SIZE: String(4 * MIB) };
  const world = await World.make(t, { proxy: true, env });
  const session = await world.startSession('large');
  await leaveForeignBlock(world, `${session}/kept`);
  const { harmful } = beImmutable(world, IMMUTABLE.policy!);
  world.drop('kept', 12 * MIB);
  await until('it is quarantined', async () => (await world.status()).queue.failed === 1);
  assert.equal((await world.api('/v1/files/kept')).body.code, 'ForeignBlocks');
  assert.deepEqual(harmful, []);
  assert.deepEqual(await world.blobs(), new Map());

  world.proxy!.pass();
  await leaveForeignBlock(world, `${session}/cleared`);
  const md5 = world.drop('cleared', 12 * MIB);
  await world.done(1);
  assert.deepEqual(await world.blobs(), new Map([[`${session}/cleared`, md5]]));
});

test('small files go over blocks of another tool in their first attempt, whatever the container says', async (t) => {
  const world = await World.make(t, { proxy: true });
  const session = await world.startSession('small');
  const wanted = new Map<string, string>();
  const drop = async (file: string, size: number): Promise<void> => {
    await leaveForeignBlock(world, `${session}/${file}`);
    wanted.set(`${session}/${file}`, world.drop(file, size));
    await world.done(wanted.size);
    assert.equal((await world.api(`/v1/files/${file}`)).body.attempts, 1, file);
  };
  await drop('plain', 1000);
  await drop('nothing', 0);
  await drop('staged', MIB);
  beImmutable(world, IMMUTABLE.policy!);
  await drop('policy', 100_000);
  assert.deepEqual(await world.blobs(), wanted);
});

test('a put over blocks of another tool is done, its answer is lost, and no MD5 was taken of the whole: it is found', async (t) => {
  const world = await World.make(t, { proxy: true, env: { APP_CONTENT_MD5: 'false' } });
  const session = await world.startSession('lost');
  await leaveForeignBlock(world, `${session}/lost`);
  beImmutable(world, IMMUTABLE.policy!);
  let lost = 0;
  const match = ({ method, url = '' }: IncomingMessage): boolean =>
    method === 'PUT' && /\/lost$/.test(url.split('?')[0] ?? '') && !/comp=/.test(url) && lost++ === 1;
  world.proxy!.rules.unshift({ match, fault: { kind: 'lose-answer' } });
  const md5 = world.drop('lost', 9 * MIB);
  await world.done(1);
  assert.ok(lost > 1, 'an answer was lost');
  assert.deepEqual(await world.blobs(), new Map([[`${session}/lost`, md5]]));

  // so it looks to a later attempt, once the foreign blocks are cleared
  const bytes = Buffer.concat(Array.from({ length: 9 }, (_, index) => pieceOf(5, index)));
  await blobOf(world, `${session}/again`).upload(bytes, bytes.length);
  world.drop('again', 9 * MIB, 5);
  await world.done(2);
  assert.equal((await world.status()).processed_err, 0);
});
