import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import {
  type AppRole,
  Child,
  freePort,
  seen,
  test,
  type TestContext,
  TestRedis,
  until,
  World,
} from '../../support/index.js';
import { makeCertificate } from '../../support/tls-proxy.js';

const MIB = 1024 * 1024;
/** Contract section 5: every connection is on the new primary within 30 s, without a restart. */
const GOES_ON_MS = 30_000;

/** A Redis of the apps, and the port on which they find it. */
interface Server {
  readonly redis: TestRedis;
  readonly port: number;
}
/** How servers and apps speak: in the clear, or by TLS under an authority of the test's own. */
interface Speech {
  readonly scheme: 'redis' | 'rediss';
  /** What a server listening on this port is told. */
  readonly options: (port: number) => Record<string, string>;
  /** What the apps are told. */
  readonly env: Record<string, string>;
}

const PLAIN: Speech = { scheme: 'redis', options: () => ({}), env: {} };

function encrypted(t: TestContext): Speech {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-tls-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const { path } = makeCertificate(folder, 'redis');
  const options = (port: number) => ({
    'tls-port': String(port),
    'tls-cert-file': path,
    'tls-key-file': path.replace(/pem$/, 'key'),
    'tls-ca-cert-file': path,
    'tls-auth-clients': 'no',
    'tls-replication': 'yes',
  });
  return { scheme: 'rediss', options, env: { NODE_EXTRA_CA_CERTS: path } };
}

/** A Redis that asks for a password, and may be a node of a cluster. */
async function server(t: TestContext, speech: Speech, ...args: string[]): Promise<Server> {
  const redis = await TestRedis.start();
  t.after(() => redis.end());
  await redis.kill();
  redis.password = 'geheim';
  const port = speech === PLAIN ? redis.port : await freePort();
  const tls = Object.entries(speech.options(port)).flatMap(([name, value]) => [`--${name}`, value]);
  await redis.start('--requirepass', 'geheim', '--masterauth', 'geheim', ...tls, ...args);
  return { redis, port };
}

/** An app that does not know the authority says so in its last line, and ends. */
async function refusesUnknown(world: World, role: AppRole): Promise<void> {
  const app = await world.start(role, { NODE_EXTRA_CA_CERTS: '' });
  assert.equal((await app.ended).code, 1, app.stdout);
  assert.match(
    String(app.logs.at(-1)?.msg),
    /^APP_REDIS_URL: the certificate of this Redis .*set NODE_EXTRA_CA_CERTS/,
  );
  assert.equal(app.stderr, '');
}

/** Drops files, waits until they are under way, does something to Redis, and waits for all of them. */
async function surviving(
  t: TestContext,
  speech: Speech,
  place: string,
  upset: () => Promise<void>,
): Promise<{ world: World; files: number }> {
  const world = await World.make(t, {
    uploaders: 2,
    proxy: true,
    env: {
      ...speech.env,
      APP_REDIS_URL: `${speech.scheme}${place}`,
      APP_AZURE_MAX_CONCURRENCY: '1',
    },
  });
  const session = await world.startSession('several hosts');
  world.proxy!.bytesPerSecond = 2 * MIB;
  const names = ['a', 'b', 'c', 'd', 'e'];
  const wanted = new Map(names.map((name, i) => [`${session}/${name}`, world.drop(name, (3 + i) * MIB)]));
  await until('they are under way', () => world.proxy!.uploadedBytes > 2 * MIB);
  await upset();
  world.proxy!.bytesPerSecond = 0;
  wanted.set(`${session}/afterwards`, world.drop('afterwards', 1000));
  await world.done(wanted.size, GOES_ON_MS);
  assert.deepEqual(await world.blobs(), wanted);
  for (const app of world.apps) await app.ready(GOES_ON_MS);
  assert.ok(world.apps.every(({ alive, stdout, stderr }) => alive && !(stdout + stderr).includes('geheim')));
  return { world, files: wanted.size };
}

for (const tls of [false, true]) {
  const words = tls ? ' by TLS' : '';
  test(`Sentinel fails over${words} while files move: all go on within 30 s`, async (t) => {
    const speech = tls ? encrypted(t) : PLAIN;
    const primary = await server(t, speech);
    const replica = await server(t, speech, '--replicaof', '127.0.0.1', String(primary.port));
    const [port, asked] = [await freePort(), await freePort()];
    const folder = mkdtempSync(join(tmpdir(), 'sluice-sentinel-'));
    const config = join(folder, 'sentinel.conf');
    const monitor = `sentinel monitor main 127.0.0.1 ${primary.port} 1\nsentinel auth-pass main geheim\nsentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 10000\n`;
    const more = Object.entries(speech.options(asked)).map((entry) => entry.join(' '));
    writeFileSync(config, `port ${port}\nbind 127.0.0.1\ndir ${folder}\n${more.join('\n')}\n${monitor}`);
    const sentinel = new Child('redis-server', [config, '--sentinel'], { PATH: process.env.PATH ?? '' });
    t.after(async () => {
      await sentinel.kill();
      rmSync(folder, { recursive: true, force: true });
    });
    await until('the replica is in step', () =>
      replica.redis.use(async (client) =>
        (await client.info('replication')).includes('master_link_status:up'),
      ),
    );
    await until('Sentinel knows the replica', async () => {
      const client = new Redis({ port, maxRetriesPerRequest: 0, retryStrategy: () => null });
      client.on('error', () => undefined);
      try {
        return ((await client.call('SENTINEL', 'REPLICAS', 'main')) as unknown[]).length > 0;
      } finally {
        client.disconnect();
      }
    });
    const place = `+sentinel://:geheim@127.0.0.1:1,127.0.0.1:${tls ? asked : port}/main/0`;
    const { world, files } = await surviving(t, speech, place, async () => {
      // it answers nobody any more, and no connection is closed; what it was told is on the replica
      await primary.redis.use((client) => client.call('WAIT', 1, 10_000));
      primary.redis.child.freeze();
    });
    if (tls) await refusesUnknown(world, 'scanner');
    seen(t, {
      fault: `Redis fails over by Sentinel${words}`,
      injected: `SIGSTOP of the primary in mid-upload, ${speech.scheme}+sentinel://`,
      promised: 'every connection is on the new primary within 30 s, without a restart',
      files,
      kills: 1,
    });
  });

  test(`the slot moves to another node of a cluster${words} while files move: all go on within 30 s`, async (t) => {
    const speech = tls ? encrypted(t) : PLAIN;
    const node = () =>
      server(t, speech, '--cluster-enabled', 'yes', ...(tls ? ['--tls-cluster', 'yes'] : []));
    const nodes = [await node(), await node()] as const;
    const [one, two] = nodes;
    const ids = await Promise.all(
      nodes.map((each) => each.redis.use((client) => client.call('CLUSTER', 'MYID'))),
    );
    const slot = Number(await one.redis.use((client) => client.call('CLUSTER', 'KEYSLOT', '{sluice}')));
    await one.redis.use((client) => client.call('CLUSTER', 'ADDSLOTSRANGE', 0, slot));
    await two.redis.use((client) => client.call('CLUSTER', 'ADDSLOTSRANGE', slot + 1, 16_383));
    await one.redis.use((client) => client.call('CLUSTER', 'MEET', '127.0.0.1', two.port));
    const both = (text: string) =>
      Promise.all(nodes.map((each) => each.redis.use((client) => client.call('CLUSTER', text))));
    await until('the cluster is whole', async () =>
      (await both('INFO')).every((info) => String(info).includes('cluster_state:ok')),
    );
    // the node that holds nothing of ours is asked first
    const place = `+cluster://:geheim@127.0.0.1:${two.port}`;
    const { world, files } = await surviving(t, speech, place, async () => {
      await two.redis.use((client) => client.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', String(ids[0])));
      await one.redis.use((client) => client.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', String(ids[1])));
      await until('all keys have moved', async () => {
        const keys = await one.redis.use((client) => client.call('CLUSTER', 'GETKEYSINSLOT', slot, 1000));
        const names = keys as string[];
        if (names.length === 0) return true;
        await one.redis.use((client) =>
          client.call('MIGRATE', '127.0.0.1', two.port, '', 0, 5000, 'AUTH', 'geheim', 'KEYS', ...names),
        );
        return false;
      });
      for (const each of [two, one])
        await each.redis.use((client) => client.call('CLUSTER', 'SETSLOT', slot, 'NODE', String(ids[1])));
    });
    assert.ok(Number(await two.redis.use((client) => client.dbsize())) > 0);
    if (tls) await refusesUnknown(world, 'uploader');
    seen(t, {
      fault: `the slot of a Redis Cluster${words} moves`,
      injected: `MIGRATE of all keys to another node in mid-upload, ${speech.scheme}+cluster://`,
      promised: 'all waits while it moves, and goes on at the new node within 30 s',
      files,
      kills: 0,
    });
  });
}
