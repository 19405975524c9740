import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { seen, test, type TestContext, type TestRedis, until, World } from '../../support/index.js';
import { HttpProxy } from '../../support/http-proxy.js';
import { loginServer, TENANT } from '../../support/login-server.js';
import { makeCertificate } from '../../support/tls-proxy.js';

/** How long a token holds; seconds. */
const TOKEN_S = 20;
const MIB = 1024 * 1024;
const CLIENT = '22222222-2222-2222-2222-222222222222';
/** A sign-in that only the proxy can reach. */
const LOGIN = 'login.partner.microsoftonline.cn';
/** What a token's user may do. */
const RULE = [
  'resetkeys',
  '~{sluice}*',
  'resetchannels',
  '&{sluice}*',
  '+@all',
  '-@admin',
  '-@dangerous',
  '+info',
];

/** An unsigned token: Redis takes it as a password, and the apps read its object id. */
function token(oid: string, number: number): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none' })}.${part({ oid })}.${number}`;
}

/** A managed identity's endpoint whose every token is of a user of its own, which Redis then knows. */
async function tokenServer(
  t: TestContext,
  redis: TestRedis,
): Promise<{ port: number; issued: () => number; from: Set<number> }> {
  let issued = 0;
  const from = new Set<number>();
  const server = createServer((request, response) => {
    assert.equal(request.headers['x-identity-header'], 'local');
    from.add(request.socket.remotePort ?? 0);
    const oid = `identity-${++issued}`;
    const password = token(oid, issued);
    const endsAt = Math.floor(Date.now() / 1000) + TOKEN_S;
    void redis
      .use((client) => client.call('ACL', 'SETUSER', oid, 'on', `>${password}`, ...RULE))
      .then(() => {
        response.setHeader('content-type', 'application/json');
        response.end(
          JSON.stringify({
            access_token: password,
            expires_on: String(endsAt),
            token_type: 'Bearer',
            resource: 'r',
          }),
        );
      });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, issued: () => issued, from };
}

/** The apps' connections, by id, with the number of the token that each is signed in with. */
async function connections(redis: TestRedis): Promise<Map<string, number>> {
  const list = String(await redis.use((client) => client.call('CLIENT', 'LIST')));
  const found = [...list.matchAll(/^id=(\d+) .*\buser=identity-(\d+)/gm)];
  return new Map(found.map(([, id = '', user]) => [id, Number(user)]));
}

test('tokens of seconds: every connection is signed in again before its own ends, and files move on', async (t) => {
  const world = await World.make(t, { start: [] });
  const tokens = await tokenServer(t, world.redis);
  const proxy = await HttpProxy.start({ login: 'me:proxy-password' });
  t.after(() => proxy.end());
  const env = {
    HTTP_PROXY: proxy.url,
    NO_PROXY: `127.0.0.1:${world.azurite.port}`,
    APP_REDIS_CREDENTIAL: 'identity',
    IDENTITY_ENDPOINT: `http://127.0.0.1:${tokens.port}/token`,
    IDENTITY_HEADER: 'local',
  };
  // a range, which the SDK by itself would not know
  await world.start('api', { ...env, NO_PROXY: '127.0.0.0/8' });
  for (const role of ['scanner', 'uploader'] as const) await world.start(role, env);
  for (const app of world.apps) await app.ready();
  const session = await world.startSession('tokens');
  const wanted = new Map<string, string>();
  const before = await connections(world.redis);
  // BullMQ's blocking one is the uploader's second
  assert.ok(before.size >= 7, `api 3, scanner 2, uploader 2: ${before.size}`);
  for (let round = 0; round < 2; round++) {
    const issued = tokens.issued();
    await until(`all are signed in anew, round ${round}`, async () => {
      const name = `f${wanted.size}`;
      wanted.set(`${session}/${name}`, world.drop(name, MIB));
      await world.done(wanted.size);
      const now = await connections(world.redis);
      return [...now.values()].every((token) => token > issued) && now.size >= before.size;
    });
    // ends every connection that is still signed in with an older one
    const users = Array.from({ length: issued }, (_, i) => `identity-${i + 1}`);
    await world.redis.use((client) => client.call('ACL', 'DELUSER', ...users));
  }
  const after = await connections(world.redis);
  assert.deepEqual(
    [...before.keys()].filter((id) => !after.has(id)),
    [],
    'no connection was made anew',
  );
  assert.deepEqual(await world.blobs(), wanted);
  for (const app of world.apps) assert.ok(app.alive && app.stderr === '', app.stderr);
  const direct = [...tokens.from].filter((port) => !proxy.onwardPorts.has(port));
  assert.ok(direct.length > 0 && direct.length < tokens.from.size, `${direct.length} of ${tokens.from.size}`);
  for (const app of world.apps) {
    const line = app.logs.find(({ msg }) => msg === 'Redis lets us in');
    const way = app.role === 'api' ? 'directly' : `through http://127.0.0.1:${proxy.port}`;
    assert.deepEqual(line?.routes, { [`http://127.0.0.1:${tokens.port}`]: way });
  }

  // what is connected after all were cut at once is signed in again too
  for (const type of ['normal', 'pubsub'])
    await world.redis.use((client) => client.call('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes'));
  const then = tokens.issued();
  await until('all that is connected anew is signed in anew', async () => {
    const now = await connections(world.redis);
    return now.size >= before.size && [...now.values()].every((token) => token > then);
  });

  // every token that was given is refused from now on
  const users = Array.from({ length: tokens.issued() }, (_, i) => `identity-${i + 1}`);
  await world.redis.use((client) => client.call('ACL', 'DELUSER', ...users));
  wanted.set(`${session}/last`, world.drop('last', MIB));
  await world.done(wanted.size, 30_000);
  assert.deepEqual(await world.blobs(), wanted);
  seen(t, {
    fault: 'tokens for Redis end',
    injected: `Entra ID tokens of ${TOKEN_S} s, each of a user of its own that is deleted later; then all at once`,
    promised: 'every connection is signed in again before its token ends; a refused token gets a new one',
    files: wanted.size,
    kills: 0,
  });
});

test('sign-in for Redis goes through the proxy, and a proxy that refuses its password is named', async (t) => {
  const world = await World.make(t, { start: [] });
  const certificate = makeCertificate(world.folder, 'login', [LOGIN]);
  const password = token('an-identity', 1);
  await world.redis.use((client) =>
    client.call('ACL', 'SETUSER', 'an-identity', 'on', `>${password}`, ...RULE),
  );
  const login = await loginServer(t, certificate, LOGIN, () => password);
  const proxy = await HttpProxy.start({ login: 'me:proxy-password', hosts: { [LOGIN]: login.port } });
  t.after(() => proxy.end());
  writeFileSync(join(world.folder, 'token'), 'the-projected-token');
  const env = {
    APP_REDIS_CREDENTIAL: 'identity',
    AZURE_AUTHORITY_HOST: `https://${LOGIN}/`,
    AZURE_TENANT_ID: TENANT,
    AZURE_CLIENT_ID: CLIENT,
    AZURE_FEDERATED_TOKEN_FILE: join(world.folder, 'token'),
    AZURE_TOKEN_CREDENTIALS: 'WorkloadIdentityCredential',
    NODE_EXTRA_CA_CERTS: certificate.path,
    HTTPS_PROXY: proxy.url,
  };
  for (const role of ['api', 'scanner', 'uploader'] as const) await world.start(role, env);
  for (const app of world.apps) await app.ready();
  const session = await world.startSession('proxied');
  const wanted = new Map([[`${session}/one`, world.drop('one', 1000)]]);
  await world.done(1);
  assert.deepEqual(await world.blobs(), wanted);
  assert.deepEqual([...new Set(proxy.asked)], [`${LOGIN}:443`]);
  for (const form of login.forms)
    assert.match(form.get('scope') ?? '', /^https:\/\/redis\.azure\.com\/\.default/);
  for (const app of world.apps) {
    const line = app.logs.find(({ msg }) => msg === 'Redis lets us in');
    assert.deepEqual(line?.routes, { [`https://${LOGIN}`]: `through http://127.0.0.1:${proxy.port}` });
    assert.doesNotMatch(app.stdout + app.stderr, /the-projected-token|eyJ|proxy-password/);
  }

  const HTTPS_PROXY = `http://me:another-word@127.0.0.1:${proxy.port}`;
  const refused = await world.start('scanner', { ...env, HTTPS_PROXY });
  assert.equal((await refused.ended).code, 1);
  assert.match(
    String(refused.logs.at(-1)?.msg),
    /^APP_REDIS_CREDENTIAL: no identity gives a token for Redis: 407 from .*the proxy asks for a user and a password.*HTTPS_PROXY=/,
  );
  assert.ok(!refused.stdout.includes('another-word'));
});
