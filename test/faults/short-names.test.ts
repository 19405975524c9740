import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { removingName, shortReasonFileName, shortRemovingName, sideNoteName } from '@app/shared/domain';
import { Volume } from '@app/shared/files';
import { seen, test, until, World } from '../support/index.js';
import { fileCallsLibrary } from './lab/file-calls.js';
import { strangeVolume } from './lab/strange-volume.js';

/** Names of so many bytes at most, and names that this volume takes and whose dot names it does not. */
const VOLUMES = { 143: [115, 125, 131, 140, 143], 60: [34, 35, 47, 60] };
const TOKEN = '0123abcd';

/** A name of so many bytes: ASCII, or of characters of two and four bytes. */
const ascii = (bytes: number) => 'n'.repeat(bytes);
const wide = (bytes: number) => `${'🚀'.repeat(3)}${'ü'.repeat((bytes - 12) >> 1)}${'x'.repeat(bytes % 2)}`;

async function nothingLeft(world: World): Promise<void> {
  await until('nothing is left, side notes neither', () => {
    const left = readdirSync(world.volume, { recursive: true, encoding: 'utf8' }).filter(
      (path) => /\.sluice-(?:removing|name)-/.test(path) || world.filesIn(world.volume).includes(path),
    );
    if (left.length > 0) throw new Error(left.join(', '));
    return true;
  });
}

for (const [max, lengths] of Object.entries(VOLUMES))
  test(`a volume with names of at most ${max} bytes: every name that it takes is stored and removed`, async (t) => {
    const world = await World.make(t, { volume: await strangeVolume(t, `--name-max=${Number(max)}`) });
    const session = await world.startSession('short');
    const names = lengths.flatMap((bytes) => [ascii(bytes), wide(bytes)]);
    const wanted = new Map(names.map((name, i) => [`${session}/${name}`, world.drop(name, 100_000 + i)]));
    await world.done(names.length);
    assert.deepEqual(await world.blobs(), new Map([...wanted].sort()));
    await nothingLeft(world);
    const { processed_ok, processed_err, problems } = await world.status();
    assert.deepEqual({ processed_ok, processed_err }, { processed_ok: names.length, processed_err: 0 });
    assert.deepEqual(problems, []);
    seen(t, {
      fault: `the volume takes names of at most ${max} bytes`,
      injected: 'a FUSE mount that refuses longer names',
      promised: 'every name that the volume takes is stored and removed',
      files: names.length,
    });
  });

test('a volume with short names: an uploader dies in its removal, Redis loses everything, and the side note tells the name', async (t) => {
  const world = await World.make(t, { volume: await strangeVolume(t, '--name-max=143'), uploaders: 0 });
  const session = await world.startSession('short');
  const name = wide(140);
  const wanted = new Map([[`${session}/${name}`, world.drop(name, 100_000)]]);
  const victim = await world.start('uploader', {
    LD_PRELOAD: fileCallsLibrary(t),
    FILE_CALLS_BELOW: world.volume,
    FILE_CALLS_NAME: '/.sluice-removing-',
    FILE_CALLS_KIND: 'unlink',
    FILE_CALLS_AT: '1',
    FILE_CALLS_MODE: 'die-before',
  });
  await until('it dies before it removes the file', () => !victim.alive);
  const redis = new Redis(world.redis.url);
  t.after(() => redis.disconnect());
  await redis.flushall();
  await until('the file stands under its name', () => existsSync(join(world.processing, session, name)));
  await world.start('uploader');
  await world.done(1);
  assert.deepEqual(await world.blobs(), wanted);
  await nothingLeft(world);
  seen(t, {
    fault: 'killed in a removal, on a volume of short names',
    injected: 'SIGKILL right before the unlink, FLUSHALL',
    promised: 'the left-over goes back under the name in its side note',
    files: 1,
    kills: 1,
  });
});

test('a volume with short names: quarantined with its reason, shown again from the volume alone, retried', async (t) => {
  const world = await World.make(t, {
    volume: await strangeVolume(t, '--name-max=143'),
    proxy: true,
    // the names of their checksums are too long for it
    env: { APP_MAX_ATTEMPTS: '1', APP_SIDECAR_CHECKSUMS: 'optional' },
  });
  const session = await world.startSession('short');
  world.proxy!.rules = [
    {
      match: ({ url }) => url!.includes('short/'),
      fault: { kind: 'status', status: 500, code: 'InternalError' },
    },
  ];
  const names = [125, 131, 132, 140, 143].flatMap((bytes) => [ascii(bytes), wide(bytes)]);
  const wanted = new Map(names.map((name, i) => [`${session}/${name}`, world.drop(name, 1000 + i)]));
  const folder = join(world.failed, session);
  const reasons = () => readdirSync(folder).filter((entry) => entry.endsWith('.error.json'));
  const failed = () =>
    until('all are quarantined, and say why', async () => {
      const { body, text } = await world.api('/v1/files?state=failed');
      if (body.items.length < names.length) throw new Error(text);
      return body.items.every(({ why }: { why: string }) => why.includes('InternalError'));
    });
  await failed();
  const written = new Map(
    reasons().map((entry) => [JSON.parse(readFileSync(join(folder, entry), 'utf8')).filename, entry]),
  );
  assert.deepEqual([...written.keys()].sort(), [...names].sort());

  // older than what a quarantine has only just written
  for (const entry of reasons()) utimesSync(join(folder, entry), 1_700_000_000, 1_700_000_000);
  const orphan = join(folder, shortReasonFileName('gone'));
  writeFileSync(orphan, '{}');
  utimesSync(orphan, 1_700_000_000, 1_700_000_000);
  const redis = new Redis(world.redis.url);
  t.after(() => redis.disconnect());
  await redis.flushall();
  await failed();
  await until('the reason of no file goes', () => !existsSync(orphan));
  assert.equal(reasons().length, names.length);

  world.proxy!.pass();
  // one whose job is being shown as failed at this moment may want to be asked for once more
  let retried = 0;
  await until('all are sent back to work', async () => {
    const { body, text } = await world.api('/v1/files/retry', { filenames: names });
    retried += body?.retried ?? 0;
    if (retried < names.length) throw new Error(text);
    return true;
  });
  await world.done(names.length);
  assert.deepEqual(await world.blobs(), new Map([...wanted].sort()));
  await nothingLeft(world);
  seen(t, {
    fault: 'quarantined on a volume of short names',
    injected: 'a FUSE mount that refuses names of more than 143 bytes, FLUSHALL',
    promised: 'each has its reason beside it, is shown again by it, and is retried',
    files: names.length,
  });
});

test('a left-over with a short name goes back under its real one; one whose side note is missing waits, and is named', async (t) => {
  const world = await World.make(t, { volume: await strangeVolume(t, '--name-max=143') });
  const session = await world.startSession('short');
  const folder = join(world.processing, session);
  mkdirSync(folder, { recursive: true });
  const [noted, lost] = [ascii(140), ascii(141)];
  const orphan = join(folder, shortRemovingName(lost, 'ffff0000'));
  writeFileSync(orphan, 'lost');
  writeFileSync(join(folder, sideNoteName(TOKEN)), noted);
  writeFileSync(join(folder, shortRemovingName(noted, TOKEN)), 'noted');
  writeFileSync(join(folder, removingName('short.bin', TOKEN)), 'short');
  await world.done(2);
  assert.deepEqual([...(await world.blobs()).keys()], [`${session}/${noted}`, `${session}/short.bin`]);
  await until('it is named with its whole path', async () =>
    JSON.stringify((await world.status()).problems).includes(`${orphan} is a file whose removal did not end`),
  );
  assert.ok(existsSync(orphan));
  rmSync(orphan);
  await nothingLeft(world);
});

test('a session whose folder the volume does not take: it is said, and one with a shorter name takes its files', async (t) => {
  const world = await World.make(t, { volume: await strangeVolume(t, '--name-max=143') });
  const fits = await world.startSession('s'.repeat(143));
  const wanted = new Map([[`${fits}/first`, world.drop('first', 1000)]]);
  await world.done(1);
  await world.startSession('ü'.repeat(24));
  const md5 = world.drop('second', 1000);
  await until('problems say it', async () => {
    const { problems } = await world.status();
    const said = /takes no file: its name has 144 bytes.*start a session with a shorter name/;
    if (problems.some((problem: string) => said.test(problem))) return true;
    throw new Error(problems.join('; '));
  });
  await until('the file says it', async () =>
    /too long for this volume/.test(String((await world.api('/v1/files/second')).body.why)),
  );
  const { queue, processed_err } = await world.status();
  assert.deepEqual(
    { waiting: queue.waiting, failed: queue.failed, processed_err },
    { waiting: 0, failed: 0, processed_err: 0 },
  );
  const short = await world.startSession('short');
  wanted.set(`${short}/second`, md5);
  await world.done(2);
  assert.deepEqual(await world.blobs(), new Map([...wanted].sort()));
  await until('nothing is a problem', async () => (await world.status()).problems.length === 0);
  seen(t, {
    fault: "a session's name is too long for the volume",
    injected: 'a FUSE mount that takes names of at most 143 bytes, and a session of 144 bytes',
    promised: 'its files wait in the drop folder, it is said, and a session with a shorter name takes them',
    files: 2,
  });
});

test('a long name that is no ASCII stops no listing of a volume that does not tell kinds', async (t) => {
  const folder = await strangeVolume(t);
  const volume = new Volume();
  t.after(() => volume.stop());
  const names = ['ü'.repeat(120), 'short'];
  for (const name of names) writeFileSync(join(folder, name), '');
  const found: (string | null)[] = [];
  await volume.list(folder, (entries) => void found.push(...entries.map(({ name }) => name)));
  assert.deepEqual(found.sort(), names.sort());
});
