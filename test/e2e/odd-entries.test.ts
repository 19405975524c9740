import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { reasonFileName } from '@app/shared/domain';
import { seen, test, until, World } from '../support/index.js';

const OLD = new Date('2026-01-01');

test('what is no plain file any more right before its claim stands in quarantine, with its reason and its word', async (t) => {
  const world = await World.make(t, { start: ['api', 'scanner'] });
  const elsewhere = join(world.folder, 'elsewhere');
  writeFileSync(elsewhere, 'not to be touched');
  const kinds: Record<string, (path: string) => void> = {
    symlink: (path) => symlinkSync(elsewhere, path),
    'dangling-symlink': (path) => symlinkSync(join(world.folder, 'nowhere'), path),
    directory: (path) => mkdirSync(join(path, 'inside'), { recursive: true }),
    fifo: (path) => void execFileSync('mkfifo', [path]),
  };
  const names = Object.keys(kinds);
  const states = async (wanted: (view: any) => boolean) => {
    for (const name of names)
      await until(`${name} is as wanted`, async () => {
        const { body, text } = await world.api(`/v1/files/${name}`);
        if (wanted(body)) return true;
        throw new Error(text);
      });
  };
  const quarantined = (view: any) => view?.state === 'failed' && /NotAPlainFile/.test(view.why);
  const session = await world.startSession('odd');
  for (const name of names) world.drop(name, 100);
  await until('all are enqueued', async () => (await world.status()).queue.waiting === names.length);
  for (const [name, make] of Object.entries(kinds)) {
    rmSync(join(world.incoming, name));
    make(join(world.incoming, name));
  }
  await (await world.start('uploader')).ready();
  await states(quarantined);

  const folder = join(world.failed, session);
  for (const name of names) utimesSync(join(folder, reasonFileName(name)), OLD, OLD);
  // recovery is known to have passed when it has removed what is nobody's
  const orphan = join(folder, reasonFileName('nobody'));
  writeFileSync(orphan, '{}');
  utimesSync(orphan, OLD, OLD);
  await until('recovery has passed', () => !lstatSync(orphan, { throwIfNoEntry: false }));
  for (const name of names) {
    assert.match(readFileSync(join(folder, reasonFileName(name)), 'utf8'), /NotAPlainFile/, name);
    assert.ok(lstatSync(join(folder, name)), name);
  }

  await world.redis.use((client) => client.flushall());
  await states(quarantined);
  world.drop('symlink', 10);
  await until('its name is held', async () => (await world.status()).incoming?.held === 1);
  rmSync(join(world.incoming, 'symlink'));

  const { body } = await world.api('/v1/files/retry', {});
  assert.equal(body.retried, names.length);
  await until('all are back, tried and refused again', async () => {
    const { queue, processed_err } = await world.status();
    if (queue.failed === names.length && processed_err === names.length) return true;
    throw new Error(JSON.stringify({ queue, processed_err }));
  });
  await states(quarantined);
  assert.equal(readFileSync(elsewhere, 'utf8'), 'not to be touched');
  assert.deepEqual(await world.blobs(), new Map());

  // by hand they go, and with them all that stands for them
  for (const name of names) rmSync(join(folder, name), { recursive: true });
  await until('nothing stands for them', async () => (await world.status()).queue.failed === 0);
  seen(t, {
    fault: 'a file becomes something else before its claim',
    injected: `replaced by a ${names.join(', a ')}`.replaceAll('-', ' '),
    promised: 'quarantined, never followed; its reason stays, retry says why',
    files: names.length,
  });
});
