import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { seen, test, until, World } from '../support/index.js';

/** The user of the image. */
const UID = 10_001;
const FILES = 12;

async function refused(world: World): Promise<void> {
  await until('it is said, and was tried more than once', async () => {
    const { problems, processed_ok, processed_err } = await world.status();
    assert.deepEqual({ processed_ok, processed_err }, { processed_ok: 0, processed_err: 0 });
    const { body } = await world.api('/v1/files?state=delayed');
    const tried = body.items.filter(({ why }: { why: string }) => /the shared volume fails/.test(why));
    if (tried.length === FILES && problems.some((problem: string) => /the shared volume fails/.test(problem)))
      return true;
    throw new Error(JSON.stringify({ problems, files: body.items.map(({ why }: { why: string }) => why) }));
  });
}

async function allGo(world: World, wanted: ReadonlyMap<string, string>): Promise<void> {
  await world.done(FILES);
  const { processed_err, queue } = await world.status();
  assert.deepEqual({ processed_err, failed: queue.failed }, { processed_err: 0, failed: 0 });
  assert.deepEqual(await world.blobs(), wanted);
  assert.deepEqual(world.filesIn(world.volume), []);
  const { body } = await world.api('/v1/files?state=done');
  for (const { filename, attempts } of body.items) assert.ok(attempts <= 1, `${filename}: ${attempts}`);
}

function dropAll(world: World, session: string): Map<string, string> {
  const wanted = new Map<string, string>();
  for (let i = 0; i < FILES; i++) wanted.set(`${session}/file ${i}`, world.drop(`file ${i}`, 1000 + i));
  return new Map([...wanted].sort());
}

test('a drop folder that may not be written for a while is an outage, and no file is to blame', async (t) => {
  const world = await World.make(t, { uid: UID, env: { APP_MAX_ATTEMPTS: '2' } });
  const session = await world.startSession('closed');
  chmodSync(world.incoming, 0o555);
  const wanted = dropAll(world, session);
  await refused(world);
  chmodSync(world.incoming, 0o755);
  await allGo(world, wanted);
  seen(t, {
    fault: 'a folder of the volume may not be written for a while',
    injected: 'chmod 555; another user',
    promised: 'an outage: nothing is counted or quarantined, all goes on by itself',
    files: 2 * FILES,
  });
});

test('a session folder of somebody else is an outage, and no file is to blame', async (t) => {
  const world = await World.make(t, { uid: UID, env: { APP_MAX_ATTEMPTS: '2' } });
  const session = await world.startSession('foreign');
  const folder = join(world.processing, session);
  mkdirSync(folder, { recursive: true });
  const wanted = dropAll(world, session);
  await refused(world);
  chownSync(folder, UID, UID);
  chownSync(join(folder, '..'), UID, UID);
  await allGo(world, wanted);
});
