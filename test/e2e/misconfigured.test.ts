import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { ACCOUNT, test, type TestContext, World } from '../support/index.js';

/** Starts an uploader with these settings and returns how it ended; it must end by itself. */
async function ending(t: TestContext, more: Record<string, string>) {
  const world = await World.make(t, { start: ['scanner'] });
  const app = await world.start('uploader', more);
  const { code } = await app.ended;
  assert.notEqual(code, 0);
  assert.equal(app.stdout.includes(ACCOUNT.key), false, 'no secret is printed');
  const last = app.logs.at(-1);
  assert.equal(last?.level, 'fatal', app.stdout);
  return String(last?.msg);
}

test('missing settings are named, all at once', async (t) => {
  const message = await ending(t, {
    APP_AZURE_CONTAINER: '',
    APP_AZURE_ACCOUNT_URL: '',
    APP_MAX_ATTEMPTS: 'many',
  });
  for (const name of ['APP_AZURE_CONTAINER', 'APP_AZURE_ACCOUNT_URL', 'APP_MAX_ATTEMPTS'])
    assert.match(message, new RegExp(name));
});

test('a wrong key is told from the variables that hold it', async (t) => {
  assert.match(
    await ending(t, { APP_AZURE_ACCOUNT_KEY: Buffer.from('wrong').toString('base64') }),
    /APP_AZURE_ACCOUNT_KEY.*403/,
  );
});

test('no way to sign in at all', async (t) => {
  const message = await ending(t, {
    APP_AZURE_CREDENTIAL: 'auto',
    APP_AZURE_ACCOUNT_NAME: '',
    APP_AZURE_ACCOUNT_KEY: '',
  });
  assert.match(message, /no way to sign in.*APP_AZURE_CONNECTION_STRING/);
});

test('a missing container', async (t) => {
  assert.match(
    await ending(t, { APP_AZURE_CONTAINER: 'nowhere' }),
    /APP_AZURE_CONTAINER.*nowhere.*does not exist/,
  );
});

test('a connection string of another account', async (t) => {
  const message = await ending(t, {
    APP_AZURE_CREDENTIAL: 'connection-string',
    APP_AZURE_CONNECTION_STRING: `DefaultEndpointsProtocol=https;AccountName=other;AccountKey=${ACCOUNT.key};EndpointSuffix=core.windows.net`,
  });
  assert.match(message, /APP_AZURE_CONNECTION_STRING.*APP_AZURE_ACCOUNT_URL/);
});

test('a block larger than the memory for blocks', async (t) => {
  assert.match(
    await ending(t, { APP_AZURE_MAX_BLOCK_SIZE: '128Mi' }),
    /APP_AZURE_MAX_BLOCK_SIZE.*APP_BLOCK_MEMORY/,
  );
});

test('roots on different filesystems', async (t) => {
  const other = `/dev/shm/sluice-test-${process.pid}`;
  mkdirSync(other, { recursive: true });
  const { rmSync } = await import('node:fs');
  t.after(() => rmSync(other, { recursive: true, force: true }));
  assert.match(
    await ending(t, { APP_NFS_FAILED_ROOT: other }),
    /APP_NFS_FAILED_ROOT must be on one filesystem/,
  );
});

test('another volume than the scanner has', async (t) => {
  const world = await World.make(t, { start: ['scanner'] });
  const own = `${world.folder}/own`;
  for (const name of ['incoming', 'processing', 'failed']) mkdirSync(`${own}/${name}`, { recursive: true });
  const app = await world.start('uploader', {
    APP_NFS_INCOMING_DIR: `${own}/incoming`,
    APP_NFS_PROCESSING_ROOT: `${own}/processing`,
    APP_NFS_FAILED_ROOT: `${own}/failed`,
  });
  const { code } = await app.ended;
  assert.notEqual(code, 0);
  assert.match(String(app.logs.at(-1)?.msg), /another volume than the scanner/);
});

test('a Redis that evicts keys', async (t) => {
  const world = await World.make(t, { start: [] });
  await world.redis.use((client) => client.config('SET', 'maxmemory-policy', 'allkeys-lru'));
  for (const role of ['scanner', 'uploader', 'api'] as const) {
    const app = await world.start(role);
    const { code } = await app.ended;
    assert.notEqual(code, 0);
    assert.match(String(app.logs.at(-1)?.msg), /maxmemory-policy noeviction/);
  }
});

test('an api beyond loopback without a token or an explicit word', async (t) => {
  const world = await World.make(t, { start: [] });
  const app = await world.start('api', { APP_BIND: '0.0.0.0' });
  const { code } = await app.ended;
  assert.notEqual(code, 0);
  assert.match(app.stdout, /APP_BIND.*APP_API_TOKEN.*APP_API_AUTH/);
});
