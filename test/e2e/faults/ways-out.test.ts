import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ACCOUNT, type App, seen, test, type TestContext, until, World } from '../../support/index.js';
import { HttpProxy, type HttpProxyOptions } from '../../support/http-proxy.js';
import { makeCertificate, TlsProxy } from '../../support/tls-proxy.js';

const MIB = 1024 * 1024;
/** An account of a sovereign cloud, as the public one has no such suffix; Azurite takes the account from the host's name. */
const SOVEREIGN = `${ACCOUNT.name}.blob.core.chinacloudapi.cn`;

/** A world whose store speaks TLS with a certificate of its own authority, behind a proxy. */
async function behindProxy(t: TestContext, options: HttpProxyOptions = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-ways-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const world = await World.make(t, { start: ['api', 'scanner'] });
  const certificate = makeCertificate(folder, 'store', [SOVEREIGN]);
  const store = await TlsProxy.start(world.azurite.port, certificate);
  t.after(() => store.end());
  const proxy = await HttpProxy.start({ ...options, hosts: { [SOVEREIGN]: store.port } });
  t.after(() => proxy.end());
  const start = (more: Record<string, string> = {}): Promise<App> =>
    world.start('uploader', {
      APP_AZURE_ACCOUNT_URL: `https://127.0.0.1:${store.port}/${ACCOUNT.name}`,
      NODE_EXTRA_CA_CERTS: certificate.path,
      HTTPS_PROXY: proxy.url,
      ...more,
    });
  return { world, store, proxy, start };
}

/** Drops files and waits until they stand in the store. */
async function arrive(world: World, session: string, sizes: Record<string, number>): Promise<void> {
  const before = await world.blobs();
  const wanted = new Map(
    Object.entries(sizes).map(([name, size]) => [`${session}/${name}`, world.drop(name, size)]),
  );
  await world.done(before.size + wanted.size);
  assert.deepEqual(await world.blobs(), new Map([...before, ...wanted]));
}

test('through a proxy that asks for a password: every connection to the store comes from it', async (t) => {
  const { world, store, proxy, start } = await behindProxy(t, { login: 'mover:p@ss/word' });
  const uploader = await (await start()).ready();
  await arrive(world, await world.startSession('proxied'), { small: 1000, large: 20 * MIB });
  assert.ok(store.from.length > 0);
  assert.deepEqual(
    store.from.filter((port) => !proxy.onwardPorts.has(port)),
    [],
  );
  assert.deepEqual([...new Set(proxy.asked)], [`127.0.0.1:${store.port}`]);
  assert.equal(proxy.refused, 0);
  // connections are kept: some twenty requests need no twenty tunnels at eight blocks at once
  assert.ok(proxy.asked.length <= 12, `${proxy.asked.length} tunnels`);
  const line = uploader.logs.find(({ msg }) => msg === 'the store lets us in');
  assert.deepEqual(line?.routes, {
    [`https://127.0.0.1:${store.port}`]: `through http://127.0.0.1:${proxy.port}`,
  });
  for (const secret of ['p@ss', 'p%40ss', Buffer.from('mover:p@ss/word').toString('base64')])
    assert.ok(!uploader.stdout.includes(secret), secret);
});

test('a store of another suffix, which only the proxy can reach, named in lower case', async (t) => {
  const { world, proxy, start } = await behindProxy(t);
  const more = { HTTPS_PROXY: '', https_proxy: proxy.url, APP_AZURE_ACCOUNT_URL: `https://${SOVEREIGN}` };
  await (await start(more)).ready();
  const session = await world.startSession('sovereign');
  await arrive(world, session, { 'a b+c.bin': 9 * MIB });
  assert.deepEqual([...new Set(proxy.asked)], [`${SOVEREIGN}:443`]);
  const { body } = await world.api(`/v1/files/${encodeURIComponent('a b+c.bin')}`);
  assert.equal(body.url, `https://${SOVEREIGN}/${world.container}/${session}/a%20b%2Bc.bin`);
});

test('NO_PROXY excepts the store by its range and port', async (t) => {
  const { world, store, proxy, start } = await behindProxy(t);
  const uploader = await (await start({ NO_PROXY: `example.org,127.0.0.0/8:${store.port}` })).ready();
  await arrive(world, await world.startSession('direct'), { small: 1000 });
  assert.deepEqual(proxy.asked, []);
  const line = uploader.logs.find(({ msg }) => msg === 'the store lets us in');
  assert.deepEqual(line?.routes, { [`https://127.0.0.1:${store.port}`]: 'directly' });
});

test('a plain http store goes through HTTP_PROXY', async (t) => {
  const { world, proxy, start } = await behindProxy(t, { login: 'me:secret' });
  await (await start({ APP_AZURE_ACCOUNT_URL: world.azurite.url, HTTP_PROXY: proxy.url })).ready();
  await arrive(world, await world.startSession('plain'), { small: 1000, large: 20 * MIB });
  assert.deepEqual([...new Set(proxy.asked)], [`127.0.0.1:${world.azurite.port}`]);
  assert.equal(proxy.refused, 0);
});

test('a proxy that refuses the password is named at start, without the password', async (t) => {
  const { proxy, start } = await behindProxy(t, { login: 'me:right' });
  for (const url of [`http://me:wrong-one@127.0.0.1:${proxy.port}`, `http://127.0.0.1:${proxy.port}`]) {
    const uploader = await start({ HTTPS_PROXY: url });
    assert.equal((await uploader.ended).code, 1);
    const line = uploader.logs.at(-1);
    assert.match(String(line?.msg), /the proxy asks for a user and a password.*HTTPS_PROXY=/);
    assert.ok(!uploader.stdout.includes('wrong-one'));
  }
  assert.ok(proxy.refused >= 2);
});

test('a proxy that goes away is an outage: uploads pause, nothing is counted, all goes on by itself', async (t) => {
  const { world, store, proxy, start } = await behindProxy(t);
  await (await start()).ready();
  const session = await world.startSession('away');
  await arrive(world, session, { first: 1000 });
  await proxy.refuse();
  const sizes = { small: 100_000, large: 20 * MIB };
  const before = await world.blobs();
  const wanted = new Map(
    Object.entries(sizes).map(([name, size]) => [`${session}/${name}`, world.drop(name, size)]),
  );
  const isAway = (least: number) => async (): Promise<boolean> => {
    const { problems } = await world.status();
    const since = (problem: string): number => Number(/store is away since (\d+) s/.exec(problem)?.[1] ?? -1);
    return problems.some((problem: string) => since(problem) >= least);
  };
  await until('problems say that the store is away', isAway(0));
  await until('probes went on', isAway(3));
  await proxy.listen();
  await world.done(3);
  assert.deepEqual(await world.blobs(), new Map([...before, ...wanted]));
  const { processed_err, queue } = await world.status();
  assert.deepEqual({ processed_err, failed: queue.failed }, { processed_err: 0, failed: 0 });
  assert.deepEqual(
    store.from.filter((port) => !proxy.onwardPorts.has(port)),
    [],
  );
  await until('the problem is gone', async () => (await world.status()).problems.length === 0);
  seen(t, {
    fault: 'the proxy on the way to the store goes away',
    injected: 'a CONNECT proxy that cuts its tunnels and refuses new ones',
    promised: 'uploads pause, nothing goes around it, nothing is counted, all resumes by itself',
    files: 3,
  });
});
