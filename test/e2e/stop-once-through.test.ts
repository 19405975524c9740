import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Child, seen, test, until, World } from '../support/index.js';

const CLI = resolve(__dirname, '../../apps/cli/main.js');

async function sluice(
  world: World,
  ...args: string[]
): Promise<{ code: number | null; out: string; err: string }> {
  const url = `http://127.0.0.1:${world.app('api').port}`;
  const child = new Child(process.execPath, [CLI, ...args], {
    PATH: process.env.PATH ?? '',
    SLUICE_URL: url,
  });
  const { code } = await child.ended;
  return { code, out: child.stdout, err: child.stderr };
}

const session = async (world: World, key: string) => {
  const [date = '', encoded = ''] = key.split('/');
  return (await world.api(`/v1/sessions/${date}/${encodeURIComponent(encoded)}`)).body;
};
const stopped = (world: World) =>
  until('the session is stopped', async () => {
    const status = await world.status();
    if (!status.enabled && !status.stopping) return true;
    throw new Error(JSON.stringify(status));
  });
const notedOnVolume = (world: World) =>
  until('the volume knows of the stop', () => {
    const path = join(world.processing, '.sluice-session');
    return existsSync(path) && typeof JSON.parse(readFileSync(path, 'utf8')).stopping === 'number';
  });

/** A session with two files, of which only one fits into the queue, told to stop once through; and a file that came later. */
async function stopping(world: World): Promise<string> {
  const key = await world.startSession('nightly');
  world.drop('a.bin', 1000);
  world.drop('b.bin', 2000);
  await until('one is queued', async () => (await world.status()).queue.waiting === 1);
  const answer = await world.api('/v1/watch/stop', { drain: true });
  assert.deepEqual([answer.status, answer.body], [200, { enabled: true, stopping: true }]);
  world.drop('late.bin', 3000);
  await notedOnVolume(world);
  return key;
}

/** The two are in the store, and the third one waits. */
async function bothAndNoMore(world: World, key: string): Promise<void> {
  await world.start('uploader');
  await stopped(world);
  await until('the session is finished', async () => (await session(world, key)).state === 'finished');
  assert.deepEqual([...(await world.blobs()).keys()], [`${key}/a.bin`, `${key}/b.bin`]);
  assert.deepEqual(world.filesIn(world.incoming), ['late.bin']);
}

const ONE_PLACE = { uploaders: 0, env: { APP_MAX_QUEUE_SIZE: '1' } };

test('the obvious script loses nothing: what it dropped before `stop --drain` is in its session, what came later waits and is said', async (t) => {
  const world = await World.make(t);
  const key = await world.startSession('nightly');
  for (const name of ['one.bin', 'two.bin', 'three.bin']) world.drop(name, 100_000);
  const drained = await sluice(world, 'stop', '--drain');
  assert.equal(drained.code, 0, drained.err);
  assert.match(drained.out, /^The session stops once what stands in the drop folder now is taken\.\n$/);
  world.drop('late.bin', 1000);
  const waited = await sluice(world, 'wait', 'nightly');
  assert.equal(waited.code, 0, waited.err);
  assert.match(waited.out, /^Session nightly \(finished\): 3 done, 0 failed, 0 under way/);
  assert.equal((await session(world, key)).files.done, 3);
  await until('the file that waits is said', async () => {
    const { problems } = await world.status();
    if (
      problems.some((problem: string) =>
        /: 1 file waits in the drop folder, and no session is active/.test(problem),
      )
    )
      return true;
    throw new Error(problems.join('; '));
  });

  const morning = await sluice(world, 'start', '--wait', '--json', 'morning');
  assert.equal(morning.code, 0, morning.err);
  assert.equal(JSON.parse(morning.out).replaced, null);
  await world.done(4);
  await until('nothing is said any more', async () => (await world.status()).problems.length === 0);
  const blobs = [...(await world.blobs()).keys()];
  assert.deepEqual(
    blobs.filter((name) => name.startsWith(`${key}/`)),
    ['one.bin', 'three.bin', 'two.bin'].map((name) => `${key}/${name}`),
  );
  assert.ok(blobs.some((name) => name.endsWith('/morning/late.bin')));

  // nothing waits
  assert.equal((await sluice(world, 'stop', '--drain')).code, 0);
  await stopped(world);
  assert.deepEqual((await world.api('/v1/watch/stop', { drain: true })).body, {
    enabled: false,
    stopping: false,
  });
});

test('a stop once through outlives scanner and api, and a start ends it', async (t) => {
  const world = await World.make(t, ONE_PLACE);
  const key = await stopping(world);
  const { enabled, stopping: stops, active_session } = await world.status();
  assert.deepEqual([enabled, stops, active_session], [true, true, 'nightly']);
  const late = (await world.api('/v1/files/late.bin')).body;
  assert.match(late.why ?? '', /^(?:settling: the session stops and takes only what stood here|$)/);
  const timedOut = await sluice(world, 'wait', key, '--timeout', '0.2');
  assert.equal(timedOut.code, 5, timedOut.err);
  await Promise.all([world.app('scanner').kill(), world.app('api').kill()]);
  await (await world.start('api')).ready();
  await (await world.start('scanner')).ready();
  await bothAndNoMore(world, key);

  world.drop('c.bin', 10);
  const again = await world.startSession('nightly');
  await world.done(4);
  assert.equal(again, key);
  await world.app('uploader').stop();
  world.drop('d.bin', 10);
  world.drop('e.bin', 10);
  await until('one is queued', async () => (await world.status()).queue.waiting === 1);
  await world.api('/v1/watch/stop', { drain: true });
  const start = await world.api('/v1/watch/start', { session_name: 'next' });
  assert.equal(start.body.replaced.session_name, 'nightly');
  assert.equal(`${start.body.replaced.date_prefix}/${start.body.replaced.encoded_session}`, key);
  assert.equal((await world.status()).stopping, false);
  seen(t, {
    fault: 'scanner and api die while a session stops once what stood in the drop folder is taken',
    injected: 'SIGKILL to both, with one file in the queue, one that waits for room, and one that came later',
    promised: 'the session takes the two, then stops; the later file waits for the next one',
    files: 3,
  });
});

test('a stop once through outlives a Redis that lost its data', async (t) => {
  const world = await World.make(t, ONE_PLACE);
  const key = await stopping(world);
  await world.redis.kill();
  await world.redis.start();
  await until('the stop holds again', async () => (await world.status()).stopping === true);
  await bothAndNoMore(world, key);
});

test('a stop once through outlives a Redis that went back to a time before it', async (t) => {
  const world = await World.make(t, ONE_PLACE);
  await world.startSession('older');
  await world.redis.use((client) => client.save());
  const key = await stopping(world);
  await world.redis.kill();
  await world.redis.start();
  await until('the stop holds again', async () => (await world.status()).stopping === true);
  await bothAndNoMore(world, key);
});
