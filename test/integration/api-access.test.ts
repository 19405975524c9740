import assert from 'node:assert/strict';
import { request } from 'node:http';
import { App, freePort, test } from '../support/index.js';
import { apiAlone } from './api-alone.js';

const TOKEN = 'a:b c\u00fc-token';
const PROTECTED = [
  '/v1/status',
  '/v1/files',
  '/v1/events',
  '/docs',
  '/docs-json',
  '/admin/queues',
  '/admin/queues/api/queues',
  '/nothing',
  '/healthz/',
  '//healthz',
];
const basic = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

/** A request with exactly these headers; `fetch` forbids some of them. */
function raw(port: number, path: string, headers: Record<string, string>, method = 'GET'): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, path, method, headers }, (answer) => {
      answer.resume();
      answer.destroy();
      resolve(answer.statusCode ?? 0);
    });
    call.on('error', reject);
    call.end();
  });
}

test('with a token everything but probes and metrics asks for it', async (t) => {
  const { app, ask } = await apiAlone(t, { APP_API_TOKEN: TOKEN });
  for (const path of ['/healthz', '/readyz', '/metrics']) assert.equal(await raw(app.port, path, {}), 200);
  const bytes = Buffer.from(TOKEN).toString('latin1');
  const wrong = [
    '',
    'Bearer',
    'Bearer ',
    'Bearer x',
    `Bearer ${bytes}x`,
    `Token ${bytes}`,
    basic('a', 'x'),
    'Basic !!',
    basic(TOKEN, ''),
  ];
  for (const path of PROTECTED) {
    assert.equal(await raw(app.port, path, {}), 401, path);
    for (const authorization of wrong)
      assert.equal(await raw(app.port, path, { authorization }), 401, `${path} ${authorization}`);
    for (const authorization of [
      `Bearer ${bytes}`,
      `bearer  ${bytes}`,
      basic('anyone', TOKEN),
      basic('', TOKEN),
    ])
      assert.notEqual(await raw(app.port, path, { authorization }), 401, `${path} ${authorization}`);
  }
  const refused = await ask('/v1/status');
  assert.match(refused.headers.get('www-authenticate') ?? '', /Basic realm="sluice".*Bearer/);
  assert.match(refused.headers.get('content-type') ?? '', /^application\/problem\+json/);
  assert.equal(refused.body.status, 401);
  const page = await ask('/docs', { headers: { authorization: basic('me', TOKEN) } });
  assert.equal(page.status, 200);
  assert.match(page.text, /swagger-ui/);
  assert.equal(app.stdout.includes(TOKEN), false);
});

test('writes from another site are refused, Bull Board included', async (t) => {
  const { app } = await apiAlone(t);
  const host = `127.0.0.1:${app.port}`;
  const foreign: Record<string, string>[] = [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: `http://127.0.0.1:${app.port + 1}` },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'cross-site', origin: `http://${host}` },
    { 'sec-fetch-site': 'same-origin, cross-site' },
    { origin: 'http://sluice.example', 'x-forwarded-host': 'other.example' },
    { origin: '', 'x-forwarded-host': '' },
    { origin: 'file://', 'x-forwarded-host': ',' },
  ];
  for (const headers of foreign)
    for (const path of ['/v1/watch/start', '/v1/watch/stop', '/v1/files/retry'])
      assert.equal(await raw(app.port, path, { host, ...headers }, 'POST'), 403, JSON.stringify(headers));
  for (const headers of foreign)
    assert.equal(
      await raw(app.port, '/admin/queues/api/queues/upload/pause', { host, ...headers }, 'PUT'),
      403,
    );
  const own: Record<string, string>[] = [
    {},
    { origin: `http://${host}` },
    { 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'none' },
    // a proxy asks under another host, and the browser's word or the proxy's says what it was asked for
    { 'sec-fetch-site': 'same-origin', origin: 'https://sluice.example' },
    { origin: 'https://sluice.example', 'x-forwarded-host': 'sluice.example' },
    { origin: 'https://sluice.example:8443', 'x-forwarded-host': 'a.example, Sluice.example:8443' },
  ];
  for (const headers of own)
    assert.equal(
      await raw(app.port, '/v1/watch/stop', { host, ...headers }, 'POST'),
      200,
      JSON.stringify(headers),
    );
  assert.equal(await raw(app.port, '/v1/status', { host, 'sec-fetch-site': 'cross-site' }), 200);
});

test('without a token it answers as localhost alone, and only to this machine', async (t) => {
  const { app } = await apiAlone(t, { APP_BIND: '' });
  assert.equal(app.logs.find((line) => line.msg === 'listening')?.bind, '127.0.0.1');
  for (const host of [
    'rebound.example',
    `rebound.example:${app.port}`,
    'localhost.evil.example',
    '127.0.0.1.evil.example',
  ])
    assert.equal(await raw(app.port, '/v1/status', { host }), 403, host);
  for (const host of [`localhost:${app.port}`, 'LOCALHOST', '127.0.0.1', `[::1]:${app.port}`])
    assert.equal(await raw(app.port, '/v1/status', { host }), 200, host);
  assert.equal(await raw(app.port, '/healthz', { host: '10.0.0.7' }), 200);

  const refused = new App('api', await freePort(), { APP_BIND: '0.0.0.0' });
  t.after(() => refused.kill());
  assert.equal((await refused.ended).code, 1);
  assert.match(refused.stdout, /APP_BIND.*APP_API_TOKEN.*APP_API_AUTH=none/);
});

test('with APP_API_AUTH=none it is open by any name', async (t) => {
  const { app } = await apiAlone(t, { APP_API_AUTH: 'none', APP_BIND: '' });
  assert.equal(app.logs.find((line) => line.msg === 'listening')?.bind, '0.0.0.0');
  assert.equal(await raw(app.port, '/v1/status', { host: 'sluice.internal:8000' }), 200);
});

test('security headers are on every answer, and no header tells what it is made of', async (t) => {
  const { ask } = await apiAlone(t);
  for (const path of ['/v1/status', '/docs', '/admin/queues', '/nothing']) {
    const { headers } = await ask(path);
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.equal(headers.get('x-frame-options'), 'SAMEORIGIN');
    assert.match(headers.get('content-security-policy') ?? '', /default-src 'self'/);
    assert.equal(headers.get('x-powered-by'), null);
  }
});
