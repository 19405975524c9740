import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type TestContext } from 'node:test';
import { type TestRedis, until, World, seen } from '../../support/index.js';

/** How long a token holds; seconds. */
const TOKEN_S = 20;
const MIB = 1024 * 1024;

/** A managed identity's endpoint whose every token is of a user of its own, which Redis then knows. */
async function tokenServer(
  t: TestContext,
  redis: TestRedis,
): Promise<{ port: number; issued: () => number }> {
  let issued = 0;
  const server = createServer((request, response) => {
    assert.equal(request.headers['x-identity-header'], 'local');
    const oid = `identity-${++issued}`;
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const token = `${part({ alg: 'none' })}.${part({ oid })}.${issued}`;
    const endsAt = Math.floor(Date.now() / 1000) + TOKEN_S;
    const rule = [
      'resetkeys',
      '~{sluice}*',
      'resetchannels',
      '&{sluice}*',
      '+@all',
      '-@admin',
      '-@dangerous',
    ];
    void redis
      .use((client) => client.call('ACL', 'SETUSER', oid, 'on', `>${token}`, ...rule, '+info'))
      .then(() => {
        response.setHeader('content-type', 'application/json');
        response.end(
          JSON.stringify({
            access_token: token,
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
  return { port: (server.address() as AddressInfo).port, issued: () => issued };
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
  const env = {
    APP_REDIS_CREDENTIAL: 'identity',
    AZURE_TOKEN_CREDENTIALS: 'ManagedIdentityCredential',
    IDENTITY_ENDPOINT: `http://127.0.0.1:${tokens.port}/token`,
    IDENTITY_HEADER: 'local',
  };
  for (const role of ['api', 'scanner', 'uploader'] as const) await world.start(role, env);
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
