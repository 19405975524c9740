import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ACCOUNT, type Fault, type Proxy, seen, test, until, World } from '../../support/index.js';
import { makeCertificate, TlsProxy } from '../../support/tls-proxy.js';

const PAGES: Readonly<Record<string, Fault>> = {
  'a page with 200': { kind: 'page', status: 200 },
  'a page with 404': { kind: 'page', status: 404 },
  'a redirect': { kind: 'page', status: 302, location: '/login' },
  'a page with 511': { kind: 'page', status: 511 },
  'broken HTTP': { kind: 'raw', text: 'HTTP/1.1 OK\r\n\r\n' },
};

/** How often something asked. */
const asked = (proxy: Proxy): number => [...proxy.counts.values()].reduce((sum, count) => sum + count, 0);

for (const [what, fault] of Object.entries(PAGES))
  test(`at start ${what} answers in the store's place: the uploader asks again, and begins once the store is there`, async (t) => {
    const world = await World.make(t, { proxy: true, start: ['scanner'] });
    const proxy = world.proxy!;
    proxy.always(fault);
    const uploader = await world.start('uploader');
    await until('it asks again', () => asked(proxy) >= 3 || !uploader.alive);
    proxy.pass();
    await uploader.ready();
  });

test('at start a certificate of another authority is asked again, too', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-tls-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [known, stranger] = [makeCertificate(folder, 'known'), makeCertificate(folder, 'stranger')];
  const world = await World.make(t, { start: ['scanner'] });
  const tls = await TlsProxy.start(world.azurite.port, stranger);
  t.after(() => tls.end());
  const uploader = await world.start('uploader', {
    APP_AZURE_ACCOUNT_URL: `https://127.0.0.1:${tls.port}/${ACCOUNT.name}`,
    NODE_EXTRA_CA_CERTS: known.path,
  });
  await until('it was refused, and asks again', () => tls.refused >= 3 || !uploader.alive);
  tls.show(known);
  await uploader.ready();
});

test('something else answers in the store’s place for good: one line names APP_AZURE_ACCOUNT_URL', async (t) => {
  const world = await World.make(t, { proxy: true, start: ['scanner'] });
  world.proxy!.always({ kind: 'page', status: 200 });
  const uploader = await world.start('uploader');
  assert.equal((await uploader.ended).code, 1);
  assert.ok(asked(world.proxy!) >= 3, 'it asked again');
  const last = uploader.logs.at(-1);
  assert.equal(last?.level, 'fatal');
  assert.match(String(last?.msg), /APP_AZURE_ACCOUNT_URL http:.*no Blob service/);
  assert.ok(!uploader.stdout.includes(ACCOUNT.key), 'no secret is printed');
  seen(t, {
    fault: 'at start something else answers',
    injected: 'a page, a redirect, broken HTTP, an unknown certificate',
    promised: 'asked again for 45 s; then one line that names the variable',
    files: 0,
  });
});
