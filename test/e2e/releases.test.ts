import assert from 'node:assert/strict';
import { FORMAT } from '@app/shared/records';
import { type App, type AppRole, previousRelease, test, until, World } from '../support/index.js';

const MIB = 1024 * 1024;
const NEW = undefined;

test('the previous release and this one work side by side, and take files over from each other in mid-upload', async (t) => {
  const old = previousRelease();
  const world = await World.make(t, {
    start: ['api'],
    proxy: true,
    env: { APP_AZURE_MAX_CONCURRENCY: '1', APP_MAX_ATTEMPTS: '2' },
  });
  const proxy = world.proxy!;
  const begin = async (role: AppRole, release: string | undefined) =>
    (await world.start(role, {}, release)).ready();
  const session = await world.startSession('both');
  const wanted = new Map<string, string>();
  const drop = (name: string, size: number) => wanted.set(`${session}/${name}`, world.drop(name, size));
  let scanner = await begin('scanner', old);

  /** A file that one uploader has in hand is brought to its end by the other. */
  const takenOver = async (name: string, from: App, to: string | undefined): Promise<App> => {
    proxy.bytesPerSecond = 5 * MIB;
    const sent = proxy.uploadedBytes;
    drop(name, 30 * MIB);
    await until(`${name} is under way`, () => proxy.uploadedBytes > sent + 5 * MIB);
    const other = await begin('uploader', to);
    await from.kill();
    proxy.bytesPerSecond = 0;
    await world.done(wanted.size);
    return other;
  };
  const [older, newer] = [await begin('uploader', old), NEW];
  for (let i = 0; i < 5; i++) drop(`old ${i}`, 1000 + i);
  world.drop('bad.', 10);
  await until('the old one has quarantined one', async () => (await world.status()).processed_err === 1);
  await world.done(5);
  let uploader = await takenOver('from old to new', older, newer);
  uploader = await takenOver('from new to old', uploader, old);

  // both at once, under the scanner of each
  const both = [uploader, await begin('uploader', NEW)];
  for (const release of [NEW, old, NEW]) {
    await scanner.stop();
    scanner = await begin('scanner', release);
    for (let i = 0; i < 15; i++) drop(`${wanted.size}`, 100 + i);
    await world.done(wanted.size);
  }
  assert.equal(
    both.every(({ alive }) => alive),
    true,
  );

  assert.deepEqual(await world.blobs(), wanted);
  const { processed_ok, processed_err, queue } = await world.status();
  assert.deepEqual([processed_ok, processed_err, queue.failed], [wanted.size, 1, 1]);
  const names = [...wanted.keys()].map((blob) => blob.slice(session.length + 1)).sort();
  const listed = await world.api(`/v1/files?state=done&limit=1000`);
  assert.deepEqual(listed.body.items.map(({ filename }: { filename: string }) => filename).sort(), names);
  for (const { url, md5, filename } of listed.body.items) {
    assert.equal(md5, wanted.get(`${session}/${filename}`));
    assert.equal(new URL(url).pathname.split('/').slice(-1)[0], encodeURIComponent(filename));
  }
  const { text } = await world.api(`/v1/sessions/${session}/manifest`);
  assert.deepEqual(
    text
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { name: string }).name)
      .sort(),
    names,
  );
  // the old ones record files without the index of names
  for (const prefix of ['old', '1', 'bad', 'from'])
    await until(`a search for ${prefix} finds what both have recorded`, async () => {
      const { body } = await world.api(`/v1/files?prefix=${prefix}&limit=1000`);
      const found = body.items.map(({ filename }: { filename: string }) => filename).sort();
      const all = [...names, 'bad.'].sort().filter((name) => name.startsWith(prefix));
      return found.join() === all.join();
    });
  // what the old one quarantined is retried by the new one
  await world.api('/v1/files/retry', { filenames: ['bad.'] });
  await until('it is in quarantine again', async () => (await world.status()).processed_err === 2);
});

test('a Redis that a newer release wrote is refused at start, and no process that runs minds it', async (t) => {
  const world = await World.make(t);
  const format = () => world.redis.use((client) => client.get('{sluice}:format'));
  assert.equal(await format(), String(FORMAT));
  await world.redis.use((client) => client.set('{sluice}:format', FORMAT + 1));
  for (const role of ['api', 'scanner', 'uploader'] as const) {
    const running = world.app(role);
    const app = await world.start(role);
    assert.equal((await app.ended).code, 1);
    const line = String(app.logs.at(-1)?.msg);
    assert.match(
      line,
      /^APP_REDIS_URL: this Redis holds records of a newer release \(format 3; this one knows up to 2\)/,
    );
    assert.equal(await running.probe('/readyz'), 200);
  }
  assert.equal(await format(), String(FORMAT + 1));
});
