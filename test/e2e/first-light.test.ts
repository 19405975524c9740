import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, until, World, writeFileOf } from '../support/index.js';

test('a dropped file becomes a verified blob under its session, and its source goes last', async (t) => {
  const world = await World.make(t);
  const session = await world.startSession('my session');
  assert.match(session, /^\d{8}\/my%20session$/);
  const wanted = new Map<string, string>();
  for (const [name, size] of [
    ['empty', 0],
    ['small.txt', 10],
    ['one block.bin', 4 * 1024 * 1024],
    ['blocks.bin', 20 * 1024 * 1024 + 7],
  ] as const)
    wanted.set(`${session}/${name}`, world.drop(name, size));
  await world.done(4);
  assert.deepEqual(await world.blobs(), wanted);
  await until('the folders are empty', () => world.filesIn(world.volume).length === 0);
  assert.deepEqual(world.staged(), []);
  const properties = await world.azurite.client
    .getContainerClient(world.container)
    .getBlobClient(`${session}/small.txt`)
    .getProperties();
  assert.equal(properties.contentType, 'text/plain; charset=utf-8');
  assert.equal(properties.metadata?.size, '10');
  const status = await world.status();
  assert.equal(status.enabled, true);
  assert.equal(status.active_session, 'my session');
  assert.deepEqual(status.problems, []);
});

test('a session without a name gets a sortable one of its own', async (t) => {
  const world = await World.make(t);
  const session = await world.startSession();
  assert.match(
    session,
    /^\d{8}\/00-session-[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  const md5 = world.drop('a.bin', 100);
  await world.done(1);
  assert.deepEqual(await world.blobs(), new Map([[`${session}/a.bin`, md5]]));
});

test('a file found in .processing at start goes to the date and session of its folder', async (t) => {
  const world = await World.make(t, { start: [] });
  mkdirSync(world.incoming, { recursive: true });
  const md5 = writeFileOf(join(world.processing, '20250102', 'old%20one', 'left.bin'), 6_000_000, 3);
  await world.start('api');
  await world.start('scanner');
  await world.start('uploader');
  await Promise.all(world.apps.map((app) => app.ready()));
  await world.done(1);
  assert.deepEqual(await world.blobs(), new Map([['20250102/old%20one/left.bin', md5]]));
  const { body } = await world.api('/v1/sessions/20250102/old%2520one');
  assert.equal(body.session_name, 'old one');
  assert.equal(body.state, 'finished');
  assert.equal(readFileSync(join(world.processing, '.sluice-volume'), 'utf8').length > 20, true);
});
