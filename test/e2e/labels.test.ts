import assert from 'node:assert/strict';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Redis } from 'ioredis';
import { seen, test, until, World } from '../support/index.js';

/** The headers of every request that the store got, by what it asked for. */
function recorded(world: World): { what: string; headers: IncomingHttpHeaders }[] {
  const requests: { what: string; headers: IncomingHttpHeaders }[] = [];
  const match = ({ method, url = '', headers }: IncomingMessage): boolean => {
    const { pathname, searchParams } = new URL(url, 'http://x');
    requests.push({ what: `${method} ${searchParams.get('comp') ?? ''} ${pathname}`, headers });
    return false;
  };
  world.proxy!.rules.push({ match, fault: { kind: 'reset' } });
  return requests;
}

async function start(world: World, name: string, labels?: object): Promise<string> {
  const { status, body, text } = await world.api('/v1/watch/start', { session_name: name, labels });
  assert.equal(status, 200, text);
  return `${body.date_prefix}/${body.encoded_session}`;
}

async function labelsOfBlob(world: World, name: string) {
  const blob = world.azurite.client.getContainerClient(world.container).getBlobClient(name);
  const { accessTier, metadata = {} } = await blob.getProperties();
  const { mtime, size, ...own } = metadata;
  assert.ok(mtime && size, 'Sluice’s own metadata is there, too');
  return { tier: accessTier, tags: (await blob.getTags()).tags, metadata: own };
}

const ALL = {
  APP_AZURE_ACCESS_TIER: 'Cool',
  APP_AZURE_TAGS: 'site=here,project=none',
  APP_AZURE_METADATA: 'owner=all',
};

test('labels of all files and of the session go with every put, live through a loss of Redis, and may be changed', async (t) => {
  const world = await World.make(t, { proxy: true, env: ALL });
  const session = await start(world, 'one', { tier: 'Cold', tags: { project: 'mars' } });
  world.drop('small', 10);
  world.drop('blocks', 9 * 1024 * 1024);
  await world.done(2);
  const wanted = { tier: 'Cold', tags: { site: 'here', project: 'mars' }, metadata: { owner: 'all' } };
  for (const name of ['small', 'blocks'])
    assert.deepEqual(await labelsOfBlob(world, `${session}/${name}`), wanted, name);
  const { body } = await world.api(`/v1/sessions/${session.replace('%', '%25')}`);
  assert.deepEqual(body.labels, { tier: 'Cold', tags: { project: 'mars' } });

  // a stop of the session leaves its labels, and so does a start that says nothing of them; Redis forgets all
  const other = await start(world, 'other');
  await until('the volume knows of both', () => world.noteOfSession().includes('"session_name":"other"'));
  const redis = new Redis(world.redis.url);
  t.after(() => redis.disconnect());
  await redis.flushall();
  await until('the session is back', async () => (await world.status()).active_session === 'other');
  world.drop('unlabelled', 10);
  await until('it is done', async () => (await world.api('/v1/files/unlabelled')).body.state === 'done');
  assert.deepEqual(await labelsOfBlob(world, `${other}/unlabelled`), {
    tier: 'Cool',
    tags: { site: 'here', project: 'none' },
    metadata: { owner: 'all' },
  });
  assert.equal(await start(world, 'one'), session);
  world.drop('again', 10);
  await until('it is done', async () => (await world.api('/v1/files/again')).body.state === 'done');
  assert.deepEqual(await labelsOfBlob(world, `${session}/again`), wanted);
  seen(t, {
    fault: 'a loss of all Redis data while sessions have labels',
    injected: 'FLUSHALL between two sessions, the older one with labels',
    promised: 'the volume keeps the labels of every session that is not through: its next file has them',
    files: 4,
  });

  const requests = recorded(world);
  await start(world, 'one', { tags: { project: 'venus' }, encryption_scope: 'secret' }).then(
    () => assert.fail('a scope cannot be changed once there are files'),
    (error: Error) => assert.match(error.message, /labels.encryption_scope cannot be changed: files of this/),
  );
  await start(world, 'scoped', { encryption_scope: 'secret', tier: 'Hot' });
  world.drop('scoped small', 10);
  world.drop('scoped blocks', 9 * 1024 * 1024);
  for (const name of ['scoped small', 'scoped blocks'])
    await until(`${name} is done`, async () => (await world.api(`/v1/files/${name}`)).body.state === 'done');
  const writes = requests.filter(({ what }) => /^PUT .*scoped%20(small|blocks)$/.test(what));
  const kinds = writes.map(({ what }) => what.split(' ')[1]).sort();
  assert.deepEqual(kinds, ['', 'block', 'block', 'blocklist'], 'a put, two blocks and their list');
  for (const { what, headers } of writes) {
    assert.equal(headers['x-ms-encryption-scope'], 'secret', what);
    if (!what.startsWith('PUT block ')) assert.equal(headers['x-ms-access-tier'], 'Hot', what);
  }
});

test('a file whose labels the store refuses waits, and says which right is missing; nothing is counted', async (t) => {
  const world = await World.make(t, { proxy: true });
  await start(world, 'tagged', { tags: { project: 'mars' } });
  const refuse = ({ method, headers }: IncomingMessage) => method === 'PUT' && 'x-ms-tags' in headers;
  const fault = { kind: 'status', status: 403, code: 'AuthorizationPermissionMismatch' } as const;
  world.proxy!.rules = [{ match: refuse, fault }];
  world.drop('waits', 10);
  await until('it is said', async () => {
    const { problems } = await world.status();
    return /its labels are refused: the store refuses the tags project.*Storage Blob Data Owner/.test(
      problems.join('\n'),
    );
  });
  const { body } = await world.api('/v1/files/waits');
  assert.deepEqual([body.state, body.attempts], ['delayed', 0]);
  assert.equal((await world.status()).processed_err, 0);
  // a session without tags is not held up by it
  await start(world, 'plain');
  world.drop('goes', 10);
  await world.done(1);
  world.proxy!.pass();
  await world.done(2);
  seen(t, {
    fault: 'the store lets files in, and not their labels',
    injected: '403 AuthorizationPermissionMismatch for each put with tags, until it is let in',
    promised: 'files with these labels wait uncounted, problems name the right, all others go on',
    files: 2,
  });
});

test('an uploader that may not write the labels of all files does not start, and says which right is missing', async (t) => {
  const world = await World.make(t, { proxy: true, start: ['api', 'scanner'], env: ALL });
  const refuse = ({ method, headers }: IncomingMessage) => method === 'PUT' && 'x-ms-tags' in headers;
  world.proxy!.rules = [
    { match: refuse, fault: { kind: 'status', status: 403, code: 'AuthorizationPermissionMismatch' } },
  ];
  const uploader = await world.start('uploader');
  assert.notEqual((await uploader.ended).code, 0);
  assert.match(uploader.stdout, /the tags site, project.*needs? the role Storage Blob Data Owner/s);
});

test('a file goes to the archive: it is proved without its block list, and a file over an archived blob is told apart', async (t) => {
  const world = await World.make(t, { proxy: true });
  const session = await start(world, 'cellar', { tier: 'Archive' });
  // the emulator lets an archived blob be listed and written over; Azure does neither
  const archived = new Set<string>();
  const match = ({ method, url = '' }: IncomingMessage): boolean => {
    const { pathname, searchParams } = new URL(url, 'http://x');
    const comp = searchParams.get('comp');
    const refused = archived.has(pathname) && (method === 'PUT' || comp === 'blocklist');
    if (!refused && method === 'PUT' && comp === 'blocklist') archived.add(pathname);
    return refused;
  };
  world.proxy!.rules = [{ match, fault: { kind: 'status', status: 409, code: 'BlobArchived' } }];
  world.drop('big', 9 * 1024 * 1024);
  await world.done(1);
  assert.equal((await labelsOfBlob(world, `${session}/big`)).tier, 'Archive');
  world.drop('big', 9 * 1024 * 1024, 5);
  await until('it is quarantined', async () => (await world.status()).queue.failed === 1);
  const { body } = await world.api('/v1/files/big');
  assert.deepEqual([body.state, body.code], ['failed', 'BlobArchived']);
  assert.match(body.hint, /[Rr]ehydrate or delete/);
  seen(t, {
    fault: 'a file goes over a blob in the archive tier',
    injected:
      'Get Block List and every put of an archived blob are refused with 409 BlobArchived, as Azure does',
    promised:
      'the first file is proved by the answer to its commit; the second is quarantined as BlobArchived',
    files: 2,
  });
});
