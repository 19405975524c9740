import assert from 'node:assert/strict';
import { test, until, World } from '../support/index.js';

test('a finished session has its manifest in the api and in the store', async (t) => {
  const world = await World.make(t, { env: { APP_WRITE_MANIFEST: 'true' } });
  const session = await world.startSession('told');
  const wanted = new Map(['a', 'b', 'c'].map((name, i) => [name, world.drop(name, 1000 + i)]));
  await world.done(3);
  await world.api('/v1/watch/stop', {});
  const { body } = await world.api(`/v1/sessions/${session.replace('%', '%25')}`);
  assert.equal(body.state, 'finished');
  assert.deepEqual(body.files, { queued: 0, active: 0, delayed: 0, done: 3, failed: 0 });
  assert.deepEqual(body.bytes, { done: 3003, in_flight: 0, total: 3003 });
  const answer = await world.api(`/v1/sessions/${session}/manifest`);
  assert.equal(answer.headers.get('sluice-missing'), '0');
  assert.match(answer.headers.get('content-type') ?? '', /^application\/x-ndjson/);
  const lines = answer.text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { name: string; md5: string; url: string });
  assert.deepEqual(new Map(lines.map(({ name, md5 }) => [name, md5]).sort() as [string, string][]), wanted);
  const blob = world.azurite.client
    .getContainerClient(world.container)
    .getBlobClient(`${session}/.manifest.jsonl`);
  await until('it is in the store', () => blob.exists());
  assert.equal((await blob.downloadToBuffer()).toString(), answer.text);

  // a retry or a new file opens the session again: its next finish writes it anew
  await world.startSession('told');
  world.drop('d', 10);
  const newer = world.drop('a', 2000);
  await world.done(5);
  await world.api('/v1/watch/stop', {});
  const stored = await until('it has the new drops too', async () => {
    const text = (await blob.downloadToBuffer()).toString();
    return text.trim().split('\n').length === 5 ? text : null;
  });
  assert.equal((await world.api(`/v1/sessions/${session}/manifest`)).text, stored);
  const drops = stored
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { name: string; md5: string; superseded?: boolean });
  assert.deepEqual(
    drops.filter(({ name }) => name === 'a').map(({ md5, superseded }) => [md5, superseded]),
    [
      [wanted.get('a'), true],
      [newer, undefined],
    ],
  );
  assert.equal(drops.filter(({ superseded }) => superseded).length, 1);
});

test('a manifest that lacks files, because the history limit was passed, says how many', async (t) => {
  const env = { APP_WRITE_MANIFEST: 'true', APP_HISTORY_MAX_FILES: '5' };
  const world = await World.make(t, { env });
  const session = await world.startSession('long');
  for (let i = 0; i < 8; i++) world.drop(`f${i}`, 100);
  await world.done(8);
  await world.api('/v1/watch/stop', {});
  const { body } = await world.api(`/v1/sessions/${session}`);
  assert.equal(body.files.done, 8);
  const answer = await world.api(`/v1/sessions/${session}/manifest`);
  const lines = answer.text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { name?: string; missing?: number });
  const missing = 8 - (lines.length - 1);
  assert.ok(missing >= 3, answer.text);
  assert.deepEqual(lines.at(-1), { missing });
  assert.equal(answer.headers.get('sluice-missing'), String(missing));
  assert.equal(new Set(lines.slice(0, -1).map(({ name }) => name)).size, lines.length - 1);
  const blob = world.azurite.client
    .getContainerClient(world.container)
    .getBlobClient(`${session}/.manifest.jsonl`);
  await until('it is in the store', () => blob.exists());
  assert.equal((await blob.downloadToBuffer()).toString(), answer.text);
});
