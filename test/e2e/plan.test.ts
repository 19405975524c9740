import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Child, test, until, World } from '../support/index.js';

const CLI = resolve(__dirname, '../../apps/cli/main.js');
const NIGHT = 'night 1 & more';
const PATH = `/v1/plan?session_name=${encodeURIComponent(NIGHT)}`;
/** The store takes them under exactly these names. */
const KEPT = [
  'a.bin',
  '100%.bin',
  '%41.bin',
  'a#b?c',
  ' x ',
  '🚀',
  'ü'.repeat(127),
  '-rf',
  'a..b',
  'ends in ..x',
  'sub/deep/x',
  'sub.x',
];
const REFUSED = ['sub/part ends./x', 'trailing dot.', 'back\\slash', 'new\nline', 'bell\u0007', '\ufffe'];
const TOO_LARGE = 'too large.bin';

interface Item {
  filename: string;
  url: string | null;
  exists: boolean | null;
  fault: string | null;
}

/** Everything that a plan must leave alone. */
async function stateOf(world: World): Promise<unknown> {
  const redis = await world.redis.use(async (client) => ({
    keys: (await client.keys('*')).filter((key) => !/:(incoming|scanner-lease)/.test(key)).sort(),
    seq: await client.get('{sluice}:seq'),
    totals: await client.hgetall('{sluice}:totals'),
  }));
  const container = world.azurite.client.getContainerClient(world.container);
  const blobs: string[] = [];
  for await (const blob of container.listBlobsFlat({ includeUncommitedBlobs: true }))
    blobs.push(`${blob.name} ${blob.properties.etag}`);
  // the empty folders of a finished session are the scanner's to remove
  const files = [world.incoming, world.processing, world.failed].flatMap((root) =>
    readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory() && !/^\.sluice-(?!volume|session)/.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name))
      .sort(),
  );
  return { redis, blobs, files };
}

test('a plan names before what the records name after, for names good and bad, and writes nothing', async (t) => {
  const world = await World.make(t, {
    env: {
      APP_IGNORE_PATTERNS: '*.part',
      APP_SCAN_DEPTH: '2',
      APP_AZURE_MAX_BLOCK_SIZE: '1',
      APP_AZURE_MAX_SINGLE_PUT_SIZE: '64Ki',
      APP_BLOCK_MEMORY: '64Ki',
    },
  });
  // one of them is in the store already
  const session = await world.startSession(NIGHT);
  world.drop('a.bin', 10);
  await world.done(1);
  await world.api('/v1/watch/stop', {});

  for (const folder of ['sub/deep', 'sub/part ends.'])
    mkdirSync(join(world.incoming, folder), { recursive: true });
  for (const [i, name] of [...KEPT, ...REFUSED].entries()) world.drop(name, 100 + i);
  world.drop(TOO_LARGE, 70_000);
  mkdirSync(join(world.incoming, 'a folder'));
  symlinkSync('/etc/hostname', join(world.incoming, 'a link'));
  for (const name of ['.nfs0001', 'growing.part']) writeFileSync(join(world.incoming, name), 'x');
  const names = [...KEPT, ...REFUSED, TOO_LARGE].sort();
  await until('they stand there for the scanner', async () => {
    const { incoming } = await world.status();
    return incoming?.seen === names.length + 3;
  });

  const before = await stateOf(world);
  const whole: Item[] = (await world.api(PATH)).body.items;
  assert.deepEqual(
    whole.map(({ filename }) => filename),
    names,
  );
  const inPages: Item[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const { status, body, text } = await world.api(`${PATH}&limit=3&cursor=${cursor}`);
    assert.equal(status, 200, text);
    assert.equal(body.note, null);
    assert.ok(body.items.length <= 3);
    inPages.push(...body.items);
    cursor = body.next_cursor;
  }
  assert.deepEqual(inPages, whole);
  const cli = new Child(process.execPath, [CLI, 'plan', '--session', NIGHT], {
    PATH: process.env.PATH ?? '',
    SLUICE_URL: `http://127.0.0.1:${world.app('api').port}`,
  });
  assert.equal((await cli.ended).code, 0, cli.stderr);
  assert.equal(
    cli.stdout.trimEnd().split('\n').at(-1),
    `${names.length} files, ${REFUSED.length + 1} would be refused, 1 exist already`,
  );
  // without a session that is active or named, URLs are not known, and a name is refused all the same
  const sessionless = (await world.api('/v1/plan')).body;
  assert.match(sessionless.note, /no session is active/);
  assert.deepEqual(
    sessionless.items.map(({ filename, fault }: Item) => [filename, fault]),
    whole.map(({ filename, fault }) => [filename, fault]),
  );
  assert.ok(sessionless.items.every(({ url, exists }: Item) => url === null && exists === null));
  assert.equal((await world.api('/v1/plan?session_name=a%0A')).status, 400);
  assert.equal((await world.api('/v1/plan?cursor=x')).status, 400);
  assert.deepEqual(await stateOf(world), before);

  assert.equal(await world.startSession(NIGHT), session);
  await world.done(1 + KEPT.length);
  await until('the refused are in quarantine', async () => {
    const { processed_err } = await world.status();
    return processed_err === REFUSED.length + 1;
  });
  for (const { filename, url, exists, fault } of whole) {
    const { body } = await world.api(
      `/v1/files/${encodeURIComponent(filename)}?session=${encodeURIComponent(session)}`,
    );
    assert.equal(exists, filename === 'a.bin', filename);
    if (fault === null) {
      assert.deepEqual([body.state, body.url], ['done', url], filename);
      continue;
    }
    assert.equal(body.state, 'failed', filename);
    assert.equal(fault.split(':')[0], body.code, filename);
    assert.ok(body.why.includes(fault.slice(fault.indexOf(':') + 2)), `${body.why} has not: ${fault}`);
  }
  const blobs = [...(await world.blobs()).keys()].sort();
  assert.deepEqual(blobs, KEPT.map((name) => `${session}/${name}`).sort());
});

test('a plan says what it cannot know without an uploader, and 503 without a scanner', async (t) => {
  const world = await World.make(t, { start: ['api', 'scanner'] });
  for (const name of ['a.bin', 'b.bin']) world.drop(name, 10);
  await until('they stand there for the scanner', async () => (await world.status()).incoming?.seen === 2);
  const { status, body } = await world.api(PATH);
  assert.equal(status, 200);
  assert.deepEqual(
    body.items,
    ['a.bin', 'b.bin'].map((filename) => ({ filename, url: null, exists: null, fault: null })),
  );
  assert.match(body.note, /no uploader is there to answer/);
  // an unmounted volume is no empty drop folder
  const scanner = world.app('scanner');
  assert.ok(existsSync(join(world.processing, '.sluice-volume')));
  await scanner.stop();
  const gone = await world.api(PATH);
  assert.equal(gone.status, 503);
  assert.match(gone.body.detail, /no scanner is there to answer/);
});
