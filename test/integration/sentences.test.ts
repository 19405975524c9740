import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { App, freePort, test, type TestContext, until } from '../support/index.js';
import { apiAlone } from './api-alone.js';
import { ScannerAlone } from './scanner-alone.js';

/** The last line of a process that must end by itself. */
async function lastWords(t: TestContext, app: App): Promise<string> {
  t.after(() => app.kill());
  assert.equal((await app.ended).code, 1, app.stdout);
  assert.equal(app.stderr, '');
  const { level, msg } = app.logs.at(-1) ?? {};
  assert.equal(level, 'fatal');
  return String(msg);
}

const said = (app: App) => app.logs.map(({ msg }) => String(msg));

test('a port in use names APP_PORT, in one line', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const sentence = `port ${port} of 127.0.0.1 is in use; set APP_PORT to another one, or end what listens there`;
  assert.equal(await lastWords(t, new App('api', port, {})), sentence);
});

test('a variable that is misspelt is named beside the one that is missing', async (t) => {
  const env = { APP_AZURE_ACCOUNT_URL: 'https://x.blob.core.windows.net', APP_AZURE_CONTAINR: 'ingest' };
  assert.match(
    await lastWords(t, new App('uploader', await freePort(), env)),
    /APP_AZURE_CONTAINER is not set.*; APP_AZURE_CONTAINR is no setting of Sluice, look for a typing error$/,
  );
});

test('roots that had to be made are said', async (t) => {
  const alone = await ScannerAlone.make(t);
  const app = await alone.start();
  await app.ready();
  for (const root of [alone.incoming, alone.processing, alone.failed])
    assert.equal(
      said(app).filter((line) => line.startsWith(`${root} was not there and is made now`)).length,
      1,
    );
});

test('the api logs once that Redis is away, and once that it is back', async (t) => {
  const { app, redis } = await apiAlone(t);
  await redis.kill();
  const lines = () => said(app).filter((line) => line.startsWith('Redis is '));
  await until('the loss is logged', () => lines().length > 0);
  assert.match(lines()[0]!, /^Redis is away, waiting for it: /);
  await redis.start();
  await until('its end is logged', () => lines().length > 1);
  assert.deepEqual(lines().slice(1), ['Redis is back']);
});
