import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { seen, test, until, World } from '../../support/index.js';

/** What the api says of a Redis that went back. */
const GONE_BACK = /Redis went back in time at \S+ or before: records since (\S+) may be missing/;

async function save(world: World): Promise<void> {
  await world.redis.use((client) => client.save());
}

/** Redis dies, and a copy of what it once held takes its place. */
async function goBack(world: World): Promise<void> {
  await world.redis.kill();
  await world.redis.start();
}

/** The sentence of it; another one than was said `before`. */
async function goneBack(world: World, before = ''): Promise<string> {
  return until('it is said that Redis went back', async () => {
    const { problems } = await world.status();
    const sentence = problems.find((problem: string) => GONE_BACK.test(problem));
    if (sentence && sentence !== before) return sentence as string;
    throw new Error(problems.join('; '));
  });
}

test('Redis goes back to a time before a session: that one goes on, and what an older one delivered stays', async (t) => {
  const world = await World.make(t);
  const older = await world.startSession('older');
  const wanted = new Map([[`${older}/same.bin`, world.drop('same.bin', 100_000, 1)]]);
  await world.done(1);
  await save(world);
  const savedAt = Date.now();
  const newer = await world.startSession('newer');
  wanted.set(`${newer}/between.bin`, world.drop('between.bin', 1000, 2));
  await world.done(2);
  await goBack(world);
  const sentence = await goneBack(world);
  const since = Date.parse(GONE_BACK.exec(sentence)?.[1] ?? '');
  assert.ok(Math.abs(since - savedAt) < 60_000, sentence);
  wanted.set(`${newer}/same.bin`, world.drop('same.bin', 50_000, 3));
  wanted.set(`${newer}/new.bin`, world.drop('new.bin', 1000, 4));
  await until('they are stored', async () => (await world.blobs()).size === 4);
  assert.deepEqual(await world.blobs(), new Map([...wanted].sort()));
  await until('nothing is left', () => world.filesIn(world.volume).length === 0);
  const note = JSON.parse(readFileSync(join(world.processing, '.sluice-session'), 'utf8'));
  assert.equal(note.encoded_session, 'newer');
  const { active_session, processed_ok, processed_err } = await world.status();
  assert.deepEqual({ active_session, processed_err }, { active_session: 'newer', processed_err: 0 });
  // the record of the file in between is gone; the totals only grow
  assert.ok(processed_ok >= 3 && processed_ok <= 4, String(processed_ok));
  seen(t, {
    fault: 'Redis goes back to a time before the active session',
    injected: 'SAVE, a new session, SIGKILL, a start with what was saved',
    promised:
      'the later session goes on, what an older one delivered stays, said since when records may be missing',
    files: 4,
  });
});

test('Redis goes back to a time before a stop: no session is active', async (t) => {
  const world = await World.make(t, { uploaders: 0 });
  await world.startSession('stopped');
  await save(world);
  await world.api('/v1/watch/stop', {});
  await until('the stop is on the volume', () => {
    const text = readFileSync(join(world.processing, '.sluice-session'), 'utf8');
    return JSON.parse(text).enabled === false;
  });
  await goBack(world);
  await goneBack(world);
  assert.equal((await world.status()).enabled, false);
});

test('Redis brings back jobs of files that were through: a new file of such a name goes to the session of now', async (t) => {
  const world = await World.make(t, { uploaders: 0 });
  const older = await world.startSession('older');
  const wanted = new Map([[`${older}/again.bin`, world.drop('again.bin', 100_000, 1)]]);
  await until('it is queued', async () => (await world.status()).queue.waiting === 1);
  await save(world);
  await world.start('uploader');
  await world.done(1);
  await world.app('uploader').stop();
  const newer = await world.startSession('newer');
  await until('the session is on the volume', () =>
    readFileSync(join(world.processing, '.sluice-session'), 'utf8').includes('newer'),
  );
  await goBack(world);
  await goneBack(world);
  wanted.set(`${newer}/again.bin`, world.drop('again.bin', 50_000, 2));
  await world.start('uploader');
  await until('it is stored', async () => (await world.blobs()).size === 2);
  assert.deepEqual(await world.blobs(), new Map([...wanted].sort()));
  await until('nothing is left', () => world.filesIn(world.volume).length === 0);
});

test('Redis goes back by a few files or many while files move: none is lost, none is counted twice', async (t) => {
  const world = await World.make(t, { uploaders: 2 });
  const session = await world.startSession('moving');
  const wanted = new Map<string, string>();
  const drop = (count: number) => {
    for (let i = 0; i < count; i++) {
      const name = `file ${wanted.size}.bin`;
      wanted.set(`${session}/${name}`, world.drop(name, 1000 + wanted.size, wanted.size));
    }
  };
  const stored = (count: number) =>
    until(`${count} are stored`, async () => (await world.blobs()).size >= count);
  let said = '';
  for (const lost of [2, 10, 30]) {
    drop(5);
    await stored(wanted.size);
    await save(world);
    drop(lost + 10);
    await stored(wanted.size - 10);
    await goBack(world);
    said = await goneBack(world, said);
  }
  await stored(wanted.size);
  assert.deepEqual(await world.blobs(), new Map([...wanted].sort()));
  await until('nothing is left', () => world.filesIn(world.volume).length === 0);
  const { processed_ok, processed_err, queue } = await world.status();
  assert.deepEqual({ processed_err, failed: queue.failed }, { processed_err: 0, failed: 0 });
  assert.ok(processed_ok <= wanted.size, `${processed_ok} counted of ${wanted.size}`);
  t.diagnostic(`${processed_ok} of ${wanted.size} files are counted`);
  seen(t, {
    fault: 'Redis goes back while files move',
    injected: 'SAVE, 2, 10 or 30 files and more, SIGKILL, a start with what was saved',
    promised:
      'every byte in the store, nothing left, none counted twice; what was counted since the last scan may be missing',
    files: wanted.size,
    kills: 3,
  });
});

test('an uploader takes a job that Redis brought back before the scanner sees it: what was delivered stays', async (t) => {
  const world = await World.make(t, { uploaders: 0 });
  const older = await world.startSession('older');
  const wanted = new Map([[`${older}/again.bin`, world.drop('again.bin', 1000, 1)]]);
  await until('it is queued', async () => (await world.status()).queue.waiting === 1);
  await save(world);
  await world.start('uploader');
  await world.done(1);
  const newer = await world.startSession('newer');
  await until('the session is on the volume', () =>
    readFileSync(join(world.processing, '.sluice-session'), 'utf8').includes('newer'),
  );
  world.app('scanner').freeze();
  wanted.set(`${newer}/again.bin`, world.drop('again.bin', 2000, 2));
  await goBack(world);
  await until('it is through with the old job', async () => {
    const { queue } = await world.status();
    if (queue.waiting + queue.active + queue.delayed === 0) return true;
    throw new Error(JSON.stringify(queue));
  });
  world.app('scanner').thaw();
  await until('it is stored', async () => (await world.blobs()).size === 2);
  assert.deepEqual(await world.blobs(), new Map([...wanted].sort()));
  await until('nothing is left', () => world.filesIn(world.volume).length === 0);
  seen(t, {
    fault: 'an uploader takes a job that Redis went back to',
    injected:
      'SAVE with a waiting job, a new session and a new file of its name, SIGKILL, a start; the scanner frozen',
    promised: 'a file that is not the one of the job goes back to the drop folder, and to the session of now',
    files: 2,
  });
});
