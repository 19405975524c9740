import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { seen, test, until, World } from '../support/index.js';

const digest = (algorithm: 'sha256' | 'md5', bytes: Buffer): string =>
  createHash(algorithm).update(bytes).digest('hex');

/** Writes a file where a producer would. @returns its path */
function put(world: World, name: string, bytes: Buffer | string): string {
  const path = join(world.incoming, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  return path;
}

async function file(world: World, name: string) {
  return (await world.api(`/v1/files/${encodeURIComponent(name)}`)).body;
}

const stateIs = (world: World, name: string, state: string, why = /./) =>
  until(`${name} is ${state}`, async () => {
    const found = await file(world, name);
    if (found.state === state && why.test(found.why)) return true;
    throw new Error(JSON.stringify(found));
  });

test('a file goes with its checksum, which is compared, noted in the store, the record and the manifest, and removed last', async (t) => {
  const world = await World.make(t, { env: { APP_SIDECAR_CHECKSUMS: 'optional', APP_SCAN_DEPTH: '2' } });
  const session = await world.startSession('sums');
  const small = Buffer.from('a small one');
  const large = Buffer.alloc(9 * 1024 * 1024, 'large');
  put(world, 'small.sha256', `${digest('sha256', small)}  small\n`);
  put(world, 'small', small);
  put(
    world,
    'sub/large.bin.sha256',
    `\ufeffSHA256 (large.bin) = ${digest('sha256', large).toUpperCase()}\r\n`,
  );
  put(world, 'sub/large.bin.md5', digest('md5', large));
  put(world, 'sub/large.bin', large);
  put(world, 'plain', 'without one');
  put(world, 'nobody.sha256', digest('sha256', small));
  await world.done(3);
  const blobs = await world.blobs();
  assert.deepEqual(
    [...blobs.keys()].sort(),
    ['plain', 'small', 'sub/large.bin'].map((name) => `${session}/${name}`),
    'a checksum is no file of its own',
  );
  const container = world.azurite.client.getContainerClient(world.container);
  for (const [name, bytes] of [
    ['small', small],
    ['sub/large.bin', large],
  ] as const) {
    const { metadata } = await container.getBlobClient(`${session}/${name}`).getProperties();
    assert.equal(metadata?.sha256, digest('sha256', bytes), name);
    assert.equal((await file(world, name)).sha256, digest('sha256', bytes));
  }
  assert.equal((await file(world, 'plain')).sha256, null);
  const { text } = await world.api(`/v1/sessions/${session}/manifest`);
  assert.ok(text.includes(`"sha256":"${digest('sha256', large)}"`), text);
  await until('only the checksum of no file is left', () => {
    const left = world.filesIn(world.volume);
    if (left.length === 1 && left[0] === 'incoming/nobody.sha256') return true;
    throw new Error(left.join(' '));
  });
  await stateIs(world, 'nobody.sha256', 'ignored', /the checksum of nobody, which is not here/);
  const { body } = await world.api(`/v1/sessions/${session}`);
  assert.deepEqual([body.files.done, body.bytes.done], [3, small.length + large.length + 11]);
});

test('a wrong or unreadable checksum is quarantined with its file, and both are mended by their producer and retried', async (t) => {
  const world = await World.make(t, { env: { APP_SIDECAR_CHECKSUMS: 'required' } });
  const session = await world.startSession('faults');
  const good = Buffer.from('what was meant');
  const bad = Buffer.from('what was sent');
  const failed = (name: string) => join(world.failed, session, name);
  put(world, 'wrong.sha256', `${digest('sha256', good)}  wrong\n`);
  put(world, 'wrong', bad);
  put(world, 'empty.md5', '');
  put(world, 'empty', good);
  put(world, 'other.sha256', `${digest('sha256', good)}  another\n`);
  put(world, 'other', good);
  put(world, 'huge.sha256', Buffer.alloc(10 * 1024 * 1024, '0'));
  put(world, 'huge', good);
  put(world, 'late', good);
  // the longest name beside which no checksum can be, and one that may have its MD5
  const [none, some] = ['n'.repeat(252), 'm'.repeat(250)] as const;
  put(world, none, good);
  put(world, some, good);
  put(world, 'link', good);
  symlinkSync('/etc/hostname', join(world.incoming, 'link.md5'));
  for (const [name, why] of [
    ['wrong', new RegExp(`ChecksumMismatch.*${digest('sha256', good)}.*${digest('sha256', bad)}`)],
    ['empty', /ChecksumUnreadable: its checksum empty.md5 is empty/],
    ['other', /other.sha256 names "another", and not this file/],
    ['huge', /huge.sha256 is larger than 65536 bytes/],
  ] as const) {
    await stateIs(world, name, 'failed', why);
    for (const each of [name, name === 'empty' ? 'empty.md5' : `${name}.sha256`])
      await until(`${each} stands in quarantine`, () => existsSync(failed(each)));
  }
  assert.match((await file(world, 'wrong')).hint, /dropped anew/);
  await stateIs(world, none, 'failed', /ChecksumUnreadable: .*takes none for its checksum/);
  assert.ok(existsSync(failed(none)));
  await stateIs(world, some, 'settling', /it waits for its checksum, m+\.md5 \(/);
  await stateIs(world, 'late', 'settling', /it waits for its checksum, late.sha256 or late.md5/);
  await stateIs(world, 'link', 'settling', /its checksum link.md5 is a symlink, not a plain file/);
  assert.deepEqual(await world.blobs(), new Map());

  // recovery finds checksums in quarantine, and shows none of them as a file
  const { items } = (await world.api('/v1/files?state=failed')).body as { items: { filename: string }[] };
  assert.deepEqual(items.map(({ filename }) => filename).sort(), ['empty', 'huge', none, 'other', 'wrong']);

  writeFileSync(failed('wrong'), good);
  writeFileSync(failed('empty.md5'), digest('md5', good));
  put(world, 'other.sha256', `${digest('sha256', good)}  other\n`);
  put(world, 'late.md5', digest('md5', good));
  put(world, `${some}.md5`, digest('md5', good));
  rmSync(join(world.incoming, 'link.md5'));
  put(world, 'link.md5', digest('md5', good));
  await stateIs(world, 'other.sha256', 'held', /goes with it at a retry/);
  const retried = await world.api('/v1/files/retry', { filenames: ['wrong', 'empty', 'other'] });
  assert.equal(retried.body.retried, 3);
  await world.done(6);
  assert.deepEqual(
    [...(await world.blobs()).keys()].sort(),
    ['empty', 'late', 'link', some, 'other', 'wrong'].map((name) => `${session}/${name}`),
  );
  await until('nothing of them is left', () => {
    const left = world.filesIn(world.volume);
    if (left.every((path) => path.includes('huge') || path.includes('nnnn'))) return true;
    throw new Error(left.join(' '));
  });
  assert.ok(existsSync(failed('huge.sha256')), 'the one that is not mended stays, with its checksum');
  seen(t, {
    fault: "a producer's checksum that differs, is empty, names another file, or has 10 MiB",
    injected: 'files with such checksums beside them, a late one, and a symlink in the place of one',
    promised:
      'quarantined with both digests or the fault, checksum and file together; mended and retried, they are stored',
    files: 8,
  });
});

test('an uploader is killed with checksums in hand: none is uploaded or lost, and each goes with its file', async (t) => {
  const world = await World.make(t, {
    proxy: true,
    env: { APP_SIDECAR_CHECKSUMS: 'required' },
  });
  const session = await world.startSession('killed');
  const bytes = Buffer.alloc(9 * 1024 * 1024, 'k');
  // the file is claimed and staged, and none of its bytes reach the store
  world.proxy!.rules = [
    { match: ({ method, url }) => method === 'PUT' && !!url?.includes('killed'), fault: { kind: 'hold' } },
  ];
  put(world, 'big.sha256', `${digest('sha256', bytes)} *big\n`);
  put(world, 'big', bytes);
  const claimed = join(world.processing, session, 'big.sha256');
  await until('it is under way', () => existsSync(claimed) && world.proxy!.holding > 0);
  // a checksum that a process left whose file is not claimed
  writeFileSync(join(world.processing, session, 'stray.md5'), digest('md5', bytes));
  await world.app('uploader').kill();
  world.proxy!.pass();
  await until('the stray one is back', () => existsSync(join(world.incoming, 'stray.md5')));
  assert.ok(existsSync(claimed), 'that of the file in hand stays with it');
  assert.equal(readFileSync(claimed, 'utf8'), `${digest('sha256', bytes)} *big\n`);
  await (await world.start('uploader')).ready();
  await world.done(1);
  assert.deepEqual([...(await world.blobs()).keys()], [`${session}/big`]);
  await until('the checksum is gone with its file', () => {
    const left = world.filesIn(world.volume);
    if (left.join() === 'incoming/stray.md5') return true;
    throw new Error(left.join(' '));
  });
  seen(t, {
    fault: 'an uploader is killed with a file and its checksum in hand',
    injected:
      'SIGKILL while the first block is on its way; a checksum without its file in the session’s folder',
    promised:
      'the checksum stays with its file and is compared again; the stray one goes back to the drop folder',
    files: 1,
    kills: 1,
  });
});

test('a scanner without checksums and an uploader with them: both files arrive in the store, and the mismatch is said', async (t) => {
  const world = await World.make(t, { proxy: true, start: ['api'] });
  await Promise.all([
    (await world.start('scanner', { APP_SIDECAR_CHECKSUMS: 'off' })).ready(),
    (await world.start('uploader', { APP_SIDECAR_CHECKSUMS: 'optional' })).ready(),
  ]);
  const session = await world.startSession('mixed');
  const bytes = Buffer.from('a file');
  // its own upload waits while it stands where a checksum of the other would
  world.proxy!.rules = [
    {
      match: ({ method, url }) => method === 'PUT' && !!url?.includes('x.bin.sha256'),
      fault: { kind: 'hold' },
    },
  ];
  put(world, 'x.bin.sha256', `${digest('sha256', bytes)}  x.bin\n`);
  const claimed = join(world.processing, session, 'x.bin.sha256');
  await until('it is under way', () => existsSync(claimed) && world.proxy!.holding > 0);
  put(world, 'x.bin', bytes);
  await world.done(1);
  assert.ok(existsSync(claimed), 'what is not stored yet stays');
  const { problems } = await world.status();
  assert.match(problems.join(), /APP_SIDECAR_CHECKSUMS=optional and the scanner off/);
  world.proxy!.pass();
  await world.done(2);
  assert.deepEqual(
    [...(await world.blobs()).keys()],
    ['x.bin', 'x.bin.sha256'].map((name) => `${session}/${name}`),
  );

  // Azure takes no name that ends in a dot, and the volume none for its checksum
  const long = `${'n'.repeat(251)}.`;
  put(world, long, bytes);
  await stateIs(world, long, 'failed');
  assert.deepEqual(
    world.filesIn(world.failed).filter((path) => !path.includes('/.')),
    [`${session}/${long}`],
  );
  seen(t, {
    fault: 'scanner and uploader have different values of APP_SIDECAR_CHECKSUMS',
    injected:
      'off and optional, as in a rolling change; the upload of a checksum is held while its file is moved',
    promised: 'a file that has a job of its own is no checksum: both are stored, and the mismatch is said',
    files: 2,
  });
});
