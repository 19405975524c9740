import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { Child, seen, test, until, World } from '../support/index.js';

const CLI = resolve(__dirname, '../../apps/cli/main.js');
const MIB = 1024 * 1024;

test('verify is clean for what was uploaded, finds each blob that another tool touched, and says what it could prove', async (t) => {
  const env = { APP_AZURE_MAX_BLOCK_SIZE: '1Mi', APP_AZURE_MAX_SINGLE_PUT_SIZE: '64Ki' };
  const world = await World.make(t, { env });
  const key = await world.startSession('a night');
  const [date = '', encoded = ''] = key.split('/');
  const path = `/v1/sessions/${date}/${encodeURIComponent(encoded)}/verify`;
  const container = world.azurite.client.getContainerClient(world.container);
  const blob = (name: string) => container.getBlockBlobClient(`${key}/${name}`);
  const sluice = async (...args: string[]) => {
    const child = new Child(process.execPath, [CLI, 'verify', ...args], {
      PATH: process.env.PATH ?? '',
      SLUICE_URL: `http://127.0.0.1:${world.app('api').port}`,
    });
    const { code } = await child.ended;
    return { code, out: child.stdout, err: child.stderr };
  };
  const names = ['as it was', 'gone', 'hidden', 'label', 'longer', 'small', 'tier', 'twice', 'meta', 'old'];
  for (const name of names) world.drop(name, name === 'small' || name === 'label' ? 5000 : 2 * MIB + 17);
  await world.done(names.length);
  world.drop('twice', 3 * MIB, 99);
  await world.done(names.length + 1);

  const clean = await world.api(path, {});
  assert.equal(clean.status, 200, clean.text);
  assert.deepEqual(clean.body, {
    ...{
      checked: names.length,
      differing: [],
      superseded: 1,
      under_way: 0,
      without_record: 0,
      next_cursor: null,
    },
    proved_by: { etag: names.length, bytes: 0, blocks: 0, size: 0 },
  });
  const deep = await world.api(path, { deep: true });
  assert.deepEqual(deep.body.proved_by, { etag: 0, bytes: names.length, blocks: 0, size: 0 });
  assert.deepEqual(deep.body.differing, []);
  const said = await sluice('a night', '--deep', '--rate', '100Mi');
  assert.equal(said.code, 0, said.err);
  assert.match(
    said.out,
    /10 blobs compared, 0 differ\.\n10 are as they were, by their bytes, read again\.\n1 earlier/,
  );

  // the uploader's own words of a record without an ETag, as 0.2 wrote it
  await world.redis.use(async (redis) => {
    for (const id of (await redis.zrange('{sluice}:done', '0', '-1')).map(String)) {
      const record = JSON.parse((await redis.get(`{sluice}:done:${id}`)) ?? '[]') as (string | number)[];
      if (record[1] === 'old') await redis.set(`{sluice}:done:${id}`, JSON.stringify(record.slice(0, 11)));
    }
  });
  await blob('gone').delete();
  // one byte, under the same block list and Content-MD5
  for (const name of ['hidden', 'old']) await hideByte(blob(name));
  // one byte, under the Content-MD5 of before
  const label = await blob('label').downloadToBuffer();
  const { contentMD5 } = await blob('label').getProperties();
  label[7]! ^= 1;
  await blob('label').upload(label, label.length);
  await blob('label').setHTTPHeaders({ blobContentMD5: contentMD5! });
  await blob('longer').upload('longer', 6);
  await blob('tier').setAccessTier('Cool');
  await blob('meta').setMetadata({ by: 'another' });

  const found = await world.api(path, {});
  assert.deepEqual(
    found.body.differing.map(({ filename, what }: Record<string, string>) => `${filename}: ${what}`).sort(),
    ['gone: missing', 'hidden: changed', 'label: changed', 'longer: changed', 'meta: changed', 'tier: tier'],
  );
  assert.equal(found.body.checked, names.length);
  // nothing but the bytes tells: said, and found by reading them
  assert.deepEqual(found.body.proved_by, { etag: 3, bytes: 0, blocks: 1, size: 0 });
  const again = await world.api(path, { deep: true });
  const old = again.body.differing.find(({ filename }: Record<string, string>) => filename === 'old');
  assert.match(old.detail, /^the 1\.0 MiB from byte 1048576 on \(block 1\) are not what was uploaded/);
  const told = await sluice(key);
  assert.equal(told.code, 4, told.err);
  assert.match(told.out, /^hidden +changed +somebody has written it since it was verified/m);
  assert.match(told.out, /^tier +tier +it is in Cool, no tier was asked for/m);
  assert.match(told.out, /1 are as they were, by their block list alone; --deep reads the bytes/);

  await world.api('/v1/watch/start', { session_name: 'cool', labels: { tier: 'Cool' } });
  world.drop('as asked', 5000);
  world.drop('heated', 5000);
  await world.done(names.length + 3);
  const cool = `/v1/sessions/${date}/cool/verify`;
  assert.deepEqual((await world.api(cool, {})).body.differing, []);
  await container.getBlockBlobClient(`${date}/cool/heated`).setAccessTier('Hot');
  assert.deepEqual((await world.api(cool, {})).body.differing, [
    { filename: 'heated', what: 'tier', detail: 'it is in Hot, Cool was asked for' },
  ]);

  assert.equal((await world.api(`/v1/sessions/${date}/unknown/verify`, {})).status, 404);
  assert.equal((await world.api(path, { cursor: 'made-up' })).status, 400);
  assert.equal((await world.api(path, { rate_bytes_per_s: 1 })).status, 400);
  await world.app('uploader').stop();
  const alone = await until('it is off the list', async () => {
    const answer = await world.api(path, {});
    return answer.status === 503 ? answer : null;
  });
  assert.match(alone.body.detail, /no uploader is there to answer/);
  seen(t, {
    fault: 'another tool changes a blob after its source is gone',
    injected: 'one byte under the same block ids and Content-MD5, a deletion, other metadata, another tier',
    promised:
      '`verify` names each; one whose record has no ETag is said to be proved by its blocks alone, and `--deep` finds it',
    files: names.length,
  });
});

async function hideByte(
  client: ReturnType<ReturnType<World['azurite']['client']['getContainerClient']>['getBlockBlobClient']>,
): Promise<void> {
  const bytes = await client.downloadToBuffer();
  const { contentMD5 } = await client.getProperties();
  const { committedBlocks = [] } = await client.getBlockList('committed');
  bytes[MIB + 5]! ^= 1;
  let at = 0;
  for (const { name, size } of committedBlocks) {
    await client.stageBlock(name, bytes.subarray(at, at + size), size);
    at += size;
  }
  const ids = committedBlocks.map(({ name }) => name);
  await client.commitBlockList(ids, { blobHTTPHeaders: { blobContentMD5: contentMD5! } });
  assert.notDeepEqual(createHash('md5').update(bytes).digest(), contentMD5);
}
