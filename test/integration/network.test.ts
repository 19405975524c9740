import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, createServer, type IncomingMessage } from 'node:http';
import { createServer as createTcp, type AddressInfo, type Server } from 'node:net';
import { get as getSecure, createServer as createSecure } from 'node:https';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseNoProxy } from '@app/shared/config';
import { WaysOut } from '@app/shared/network';
import { HttpProxy } from '../support/http-proxy.js';
import { makeCertificate } from '../support/tls-proxy.js';
import { until } from '../support/until.js';
import { test, type TestContext } from '../support/index.js';

async function listening(t: TestContext, server: Server): Promise<number> {
  const sockets = new Set<{ destroy(): unknown }>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const ways = (proxy: string | null, idleMs = 30_000, sockets = 4): WaysOut =>
  new WaysOut({ https: proxy, http: proxy, except: parseNoProxy('') }, { sockets, idleMs });

/** Asks a URL and reads the whole answer. */
async function ask(waysOut: WaysOut, url: string): Promise<IncomingMessage> {
  const to = new URL(url);
  const client = to.protocol === 'https:' ? getSecure : get;
  const request = client(to, { agent: waysOut.agent(to), rejectUnauthorized: false });
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  answer.resume();
  await once(answer, 'end');
  return answer;
}

for (const scheme of ['http', 'https'] as const) {
  /** A server that counts its connections and the most requests at once. */
  async function origin(t: TestContext) {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-network-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const seen = { connections: 0, most: 0, now: 0 };
    const server = scheme === 'https' ? createSecure(makeCertificate(folder, 'origin')) : createServer();
    server.on(scheme === 'https' ? 'secureConnection' : 'connection', () => (seen.connections += 1));
    server.on('request', (_, answer) => {
      seen.most = Math.max(seen.most, ++seen.now);
      setImmediate(() => {
        seen.now -= 1;
        answer.end('well');
      });
    });
    return { url: `${scheme}://127.0.0.1:${await listening(t, server)}/`, seen };
  }

  for (const through of ['directly', 'through a proxy'])
    test(`${scheme} ${through}: connections are kept, and never more than the limit`, async (t) => {
      const { url, seen } = await origin(t);
      const proxy = through === 'directly' ? null : await HttpProxy.start();
      if (proxy) t.after(() => proxy.end());
      const waysOut = ways(proxy?.url ?? null);
      await Promise.all(Array.from({ length: 40 }, () => ask(waysOut, url)));
      for (let i = 0; i < 10; i++) await ask(waysOut, url);
      assert.ok(seen.most <= 4, `${seen.most} at once`);
      // a proxy of plain http makes its own connections onward
      if (!proxy || scheme === 'https') assert.ok(seen.connections <= 4, `${seen.connections} connections`);
      assert.equal(waysOut.routes()[new URL(url).origin], proxy ? `through ${proxy.url}` : 'directly');
      assert.equal(Object.values(waysOut.agent(new URL(url)).freeSockets).flat().length <= 4, true);
      waysOut.agent(new URL(url)).destroy();
    });

  test(`${scheme}: a proxy that accepts and never answers is ended, and so is a kept connection`, async (t) => {
    const { url } = await origin(t);
    const open = new Set<object>();
    const server = createTcp((socket) => {
      open.add(socket);
      socket.on('close', () => open.delete(socket)).resume();
    });
    const port = await listening(t, server);
    const silent = ways(`http://127.0.0.1:${port}`, 200);
    await assert.rejects(ask(silent, url), { code: 'ETIMEDOUT' });
    await until('the connection is ended', () => Promise.resolve(open.size === 0));

    const proxy = await HttpProxy.start();
    t.after(() => proxy.end());
    const kept = ways(proxy.url, 200);
    await ask(kept, url);
    const { freeSockets, sockets } = kept.agent(new URL(url));
    await until('the kept connection is ended', () =>
      Promise.resolve(Object.keys(freeSockets).length + Object.keys(sockets).length === 0),
    );
  });

  test(`${scheme}: a proxy that asks for a password and gets none answers 407`, async (t) => {
    const { url, seen } = await origin(t);
    const proxy = await HttpProxy.start({ login: 'me:secret' });
    t.after(() => proxy.end());
    assert.equal((await ask(ways(`http://127.0.0.1:${proxy.port}`), url)).statusCode, 407);
    assert.equal(seen.connections, 0);
    const known = ways(proxy.url);
    assert.equal((await ask(known, url)).statusCode, 200);
    known.agent(new URL(url)).destroy();
  });
}
