import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test, until, World } from '../support/index.js';

const ROOT = resolve(__dirname, '../../..');
const PASSWORD = 'a-password-of-this-test';
/** The rule of docs/deploy.md, as words of a server's command line. */
const RULE = /ACL SETUSER (sluice on .*)/
  .exec(readFileSync(join(ROOT, 'docs/deploy.md'), 'utf8'))?.[1]
  ?.replace('PASSWORD', PASSWORD)
  .split(' ');

/** This system's own server, and those of scripts/redis-servers.sh. */
const SERVERS = [
  { name: 'Redis 7', told: /^redis_version:7\./m },
  { name: 'Redis 8', told: /^redis_version:8\./m, folder: join(ROOT, '.local/servers/redis-8') },
  { name: 'Valkey 8', told: /^valkey_version:8\./m, folder: join(ROOT, '.local/servers/valkey-8') },
];

for (const { name, told, folder } of SERVERS)
  test(`${name}, with the rights of the documentation alone, loses nothing when it is killed`, async (t) => {
    assert.ok(RULE, 'docs/deploy.md has a rule');
    const world = await World.make(t, { appendonly: true, redisServer: folder, start: [] });
    assert.match(await world.redis.use((client) => client.info('server')), told);
    const login = async () => {
      await world.redis.use((client) => client.call('ACL', 'SETUSER', ...RULE));
    };
    await login();
    const url = world.redis.url.replace('//', `//sluice:${PASSWORD}@`);
    for (const role of ['api', 'scanner', 'uploader'] as const)
      await world.start(role, { APP_REDIS_URL: url });
    await Promise.all(world.apps.map((app) => app.ready()));

    const session = await world.startSession('servers');
    const wanted = new Map<string, string>();
    const drop = (from: number, to: number) => {
      for (let i = from; i < to; i++)
        wanted.set(`${session}/f${i}.bin`, world.drop(`f${i}.bin`, 1000 + 300_000 * (i % 3), i));
    };
    drop(0, 8);
    await world.done(8);
    drop(8, 16);
    await world.redis.kill();
    // its rights are known before anybody may ask, as a file of them would have it
    await world.redis.start('--user', ...RULE);
    await world.done(16);
    assert.deepEqual(await world.blobs(), new Map([...wanted].sort()));
    const { processed_ok, processed_err } = await world.status();
    assert.deepEqual({ processed_ok, processed_err }, { processed_ok: 16, processed_err: 0 });
    await until('nothing is wrong, and nothing is left', async () => {
      const { problems } = await world.status();
      if (problems.length > 0) throw new Error(problems.join('\n'));
      return world.filesIn(world.volume).length === 0;
    });
    const said = world.apps.map((app) => app.stdout).join('');
    assert.doesNotMatch(said, /NOPERM/);
  });
