import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ACCOUNT, seen, test, until, World } from '../../support/index.js';
import { makeCertificate, TlsProxy } from '../../support/tls-proxy.js';

const MIB = 1024 * 1024;
const SIZES = { 'small.bin': 100_000, 'large.bin': 9 * MIB };

/** Drops files while something is wrong with the way to the store, waits until that is said, and mends it. */
async function outage(world: World, begin: () => void, end: () => void): Promise<void> {
  const session = await world.startSession('impostor');
  begin();
  const wanted = new Map<string, string>();
  for (const [name, size] of Object.entries(SIZES)) wanted.set(`${session}/${name}`, world.drop(name, size));
  await until('problems say that the store is away', async () =>
    (await world.status()).problems.some((problem: string) => /The store is away since/.test(problem)),
  );
  // a probe or two more find it no better
  await until('probes went on', async () => {
    const { problems } = await world.status();
    return problems.some((problem: string) => Number(/away since (\d+) s/.exec(problem)?.[1] ?? 0) >= 3);
  });
  end();
  await world.done(wanted.size);
  const { processed_err, queue } = await world.status();
  assert.deepEqual({ processed_err, failed: queue.failed }, { processed_err: 0, failed: 0 });
  assert.deepEqual(await world.blobs(), wanted);
  for (const name of Object.keys(SIZES)) {
    const { body } = await world.api(`/v1/files/${name}`);
    // one more where the way was mended between an error and its probe
    assert.ok(body.attempts <= 2, `${name} took ${body.attempts} attempts`);
  }
}

for (const [what, fault] of [
  ['a page with 200', { kind: 'page', status: 200 }],
  ['a page with 404', { kind: 'page', status: 404 }],
  ['a page with 511', { kind: 'page', status: 511 }],
  ['a page with 201', { kind: 'page', status: 201 }],
  ['a page with 409', { kind: 'page', status: 409 }],
  ['a redirect', { kind: 'page', status: 302, location: '/login' }],
  ['a redirect that keeps the method', { kind: 'page', status: 307, location: '/login' }],
  ['another protocol', { kind: 'babble' }],
] as const)
  test(`in the store's place answers ${what}: an outage, and no file is to blame`, async (t) => {
    const world = await World.make(t, { proxy: true });
    const proxy = world.proxy!;
    await outage(
      world,
      () => proxy.always(fault),
      () => proxy.pass(),
    );
    seen(t, {
      fault: `in the store's place answers ${what}`,
      injected: 'a proxy before the store, in mid-run',
      promised: 'an outage; no file is to blame',
      files: 2,
    });
  });

test("a certificate of another authority in the store's place is an outage, and no file is to blame", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-tls-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [known, stranger] = [makeCertificate(folder, 'known'), makeCertificate(folder, 'stranger')];
  const world = await World.make(t, { start: ['api', 'scanner'] });
  const tls = await TlsProxy.start(world.azurite.port, known);
  t.after(() => tls.end());
  const uploader = await world.start('uploader', {
    APP_AZURE_ACCOUNT_URL: `https://127.0.0.1:${tls.port}/${ACCOUNT.name}`,
    NODE_EXTRA_CA_CERTS: known.path,
  });
  await uploader.ready();
  await outage(
    world,
    () => tls.show(stranger),
    () => tls.show(known),
  );
  seen(t, {
    fault: "in the store's place answers a certificate of another authority",
    injected: 'a TLS proxy before the store, in mid-run',
    promised: 'an outage; no file is to blame',
    files: 2,
  });
});

test('files of before 1970 and of a far future arrive with their times as labels', async (t) => {
  const world = await World.make(t);
  const session = await world.startSession('times');
  const times = ['1969-12-31T23:59:58.500Z', '1902-02-03T04:05:06.000Z', '2200-01-01T00:00:00.250Z'];
  for (const [i, time] of times.entries()) {
    world.drop(`file ${i}`, 1000 + i);
    utimesSync(join(world.incoming, `file ${i}`), new Date(time), new Date(time));
  }
  await world.done(3);
  const container = world.azurite.client.getContainerClient(world.container);
  for (const [i, time] of times.entries()) {
    const { metadata } = await container.getBlockBlobClient(`${session}/file ${i}`).getProperties();
    assert.equal(metadata?.mtime, time.replace('Z', '000000Z'));
    assert.equal((await world.api(`/v1/files/${encodeURIComponent(`file ${i}`)}`)).body.mtime, time);
  }
  const manifest = await world.api(`/v1/sessions/${session}/manifest`);
  assert.equal(manifest.text.trim().split('\n').length, times.length);
  seen(t, {
    fault: 'times that few systems have',
    injected: 'mtimes of 1902, 1969 and 2200',
    promised: 'stored with those times as labels, listed, and in the manifest',
    files: times.length,
  });
});
