import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  dropTree,
  foldersBelow,
  foldersOf,
  FolderWatch,
  seen,
  test,
  treeOf,
  until,
  World,
} from '../support/index.js';

const FILES = 2000;
const EMPTY_FOLDER_AGE_S = 3;

test('2,000 files in 60 folders of four levels, moved by two uploaders of which one is killed', async (t) => {
  const world = await World.make(t, {
    uploaders: 2,
    env: {
      APP_SCAN_DEPTH: '4',
      APP_EMPTY_FOLDER_AGE_S: String(EMPTY_FOLDER_AGE_S),
      APP_POLL_INTERVAL_S: '0.5',
      APP_RECOVERY_INTERVAL_S: '2',
    },
  });
  const paths = treeOf(FILES);
  const folders = foldersOf(paths);
  assert.equal(folders.filter((folder) => folder.split('/').length === 4).length, 60);
  const md5s = dropTree(world.incoming, paths);
  writeFileSync(join(world.incoming, 'site 0/.kept'), 'a folder that holds a dot file stays');
  const watch = new FolderWatch(world.incoming, folders, EMPTY_FOLDER_AGE_S * 1000);
  const planned = await planOf(world, 'trees');
  assert.deepEqual([...planned.keys()], paths.toSorted());
  const session = await world.startSession('trees');

  await world.done(FILES / 10, 300_000);
  const [victim] = world.running('uploader');
  await victim?.kill();
  assert.ok((await world.status()).processed_ok < FILES, 'it is killed in mid-run');
  await world.done(FILES, 420_000);

  const wanted = new Map([...md5s].map(([path, md5]) => [`${session}/${path}`, md5] as const));
  assert.deepEqual(new Map([...(await world.blobs())].sort()), new Map([...wanted].sort()));
  await until('no job is left', async () => {
    const { waiting, active, delayed, failed } = (await world.status()).queue;
    return waiting + active + delayed + failed === 0;
  });
  const { processed_ok, processed_err } = await world.status();
  assert.deepEqual(
    { processed_ok, processed_err },
    { processed_ok: FILES, processed_err: 0 },
    'counted once',
  );
  const moved = await manifestOf(world, session);
  assert.deepEqual(new Map([...moved].sort()), planned, 'the plan named the very blobs');

  await until(
    'the folders of the drop folder are gone, but the one that holds something',
    () => assert.deepEqual(foldersBelow(world.incoming), ['site 0']) ?? true,
    120_000,
  );
  assert.equal(await watch.end(), folders.length - 1);
  assert.deepEqual(readdirSync(join(world.incoming, 'site 0')), ['.kept']);
  await until('those of the session are gone, too', () => foldersBelow(world.processing).length === 2);
  assert.deepEqual([...world.filesIn(world.processing), ...world.filesIn(world.failed)], []);
  seen(t, {
    fault: 'an uploader is killed while a tree is moved',
    injected: 'SIGKILL; 2,000 files in 60 folders of four levels, two uploaders',
    promised: 'every path in the store, counted once; the emptied folders go after their age, not before',
    files: FILES,
    kills: 1,
  });
});

/** URLs by file name of what the plan says of every file that waits, were a session of this name started. */
async function planOf(world: World, session: string): Promise<Map<string, string>> {
  const planned = new Map<string, string>();
  let cursor = '';
  do {
    const { body, text } = await world.api(`/v1/plan?session_name=${session}&limit=1000${cursor}`);
    assert.ok(Array.isArray(body?.items), text);
    for (const { filename, url, fault } of body.items) {
      assert.equal(fault, null, filename);
      planned.set(filename, url);
    }
    cursor = body.next_cursor === null ? '' : `&cursor=${encodeURIComponent(body.next_cursor)}`;
  } while (cursor !== '');
  return planned;
}

/** URLs by file name of what a session's manifest has. */
async function manifestOf(world: World, session: string): Promise<Map<string, string>> {
  const [date = '', encoded = ''] = session.split('/');
  const { text } = await world.api(`/v1/sessions/${date}/${encodeURIComponent(encoded)}/manifest`);
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { name: string; url: string });
  return new Map(lines.map(({ name, url }) => [name, url]));
}
