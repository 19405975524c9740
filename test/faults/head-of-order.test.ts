import assert from 'node:assert/strict';
import { chmodSync, chownSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { seen, test, until, World } from '../support/index.js';

/** The user of the image. */
const UID = 10_001;
const ROOM = 5;

/** A file of root that was not touched for long. */
function put(world: World, name: string, mode: number): string {
  const path = join(world.incoming, name);
  writeFileSync(path, `bytes of ${name}`);
  utimesSync(path, new Date('2026-01-01'), new Date('2026-01-01'));
  chownSync(path, 0, 0);
  chmodSync(path, mode);
  return path;
}

for (const closed of [ROOM, 5 * ROOM])
  test(`${closed} files that cannot be opened and sort first take none of ${ROOM} places: the ones behind go`, async (t) => {
    const world = await World.make(t, { uid: UID, env: { APP_MAX_QUEUE_SIZE: String(ROOM) } });
    const names = Array.from({ length: closed }, (_, i) => `a-closed-${String(i).padStart(2, '0')}`);
    const paths = names.map((name) => put(world, name, 0o600));
    for (const name of ['b-1', 'b-2', 'b-3']) put(world, name, 0o644);
    await world.startSession('head');
    await world.done(3);
    await until('the others are a problem, and say why they wait', async () => {
      const { problems } = await world.status();
      const sentence = `${closed} files in the drop folder cannot be opened, the first is "a-closed-00"`;
      const answers = await Promise.all(names.map((name) => world.api(`/v1/files/${name}`)));
      const texts = answers.map(({ text }) => text);
      if (problems.some((problem: string) => problem.includes(`: ${sentence}`)))
        if (texts.every((text) => text.includes('it cannot be opened: EACCES'))) return true;
      throw new Error(JSON.stringify({ problems, texts }));
    });
    // one that comes later and sorts before them all
    put(world, '0-late', 0o644);
    await world.done(4);
    for (const path of paths) chmodSync(path, 0o644);
    await world.done(4 + closed);
    await until('no problem is left', async () => {
      const { problems } = await world.status();
      if (problems.length === 0) return true;
      throw new Error(JSON.stringify(problems));
    });
    assert.equal((await world.status()).processed_err, 0);
    assert.deepEqual(world.filesIn(world.volume), []);
    seen(t, {
      fault: 'files at the head of the order cannot be opened',
      injected: `${closed} files of root for ${ROOM} places in the queue; another user`,
      promised: 'they take no place, the rest goes on, and so do they once they may be read',
      files: 4 + closed,
    });
  });
