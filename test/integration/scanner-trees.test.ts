import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '@app/shared/domain';
import type { App } from '../support/index.js';
import { pause, Stop, until } from '../support/index.js';
import { test } from '../support/index.js';
import { ScannerAlone } from './scanner-alone.js';

const OLD = new Date('2026-01-01');

/** So many calls of a kind the scanner has made on the volume. */
async function calls(app: App, operation: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${app.port}/metrics`)).text();
  const line = text
    .split('\n')
    .find(
      (candidate) =>
        candidate.startsWith('sluice_file_operation_duration_seconds_count{') &&
        candidate.includes(`operation="${operation}"`),
    );
  return Number(line?.split(' ').at(-1) ?? 0);
}

const scans = (alone: ScannerAlone, app: App) => alone.metric(app, 'sluice_scan_duration_seconds_count');

/** Waits for scans that begin after this call. */
async function moreScans(alone: ScannerAlone, app: App, count: number): Promise<void> {
  const before = await scans(alone, app);
  // the one that is under way may have begun before
  await until(`${count} more scans`, async () => (await scans(alone, app)) > before + count);
}

test('files of the levels that are read are taken by their whole path, in the order of whole paths', async (t) => {
  const alone = await ScannerAlone.make(t, {
    ...{ APP_SCAN_DEPTH: '2', APP_IGNORE_PATTERNS: '*.part,raw/*.bin', APP_EMPTY_FOLDER_AGE_S: '0' },
  });
  mkdirSync(join(alone.incoming, 'empty'), { recursive: true });
  const taken = ['a/b/x.bin', 'a-1.bin', 'a.bin', 'a/x.bin', 'b/deep/raw.bin', 'raw/deep/x.bin', 'z.bin'];
  for (const name of taken) alone.put(join(alone.incoming, name));
  alone.put(join(alone.incoming, 'a/b/c/too-deep.bin'));
  alone.put(join(alone.incoming, '.dot/x.bin'));
  alone.put(join(alone.incoming, 'a/.dot/x.bin'));
  alone.put(join(alone.incoming, 'a/.dot.bin'));
  alone.put(join(alone.incoming, 'a/x.part'));
  alone.put(join(alone.incoming, 'half.part/x.bin'));
  alone.put(join(alone.incoming, 'raw/x.bin'));
  symlinkSync(join(alone.incoming, 'a'), join(alone.incoming, 'b/link'));
  symlinkSync('..', join(alone.incoming, 'a/loop'));
  symlinkSync(join(alone.incoming, 'z.bin'), join(alone.incoming, 'a/link.bin'));
  writeFileSync(Buffer.from(`${alone.incoming}/a/\xff`, 'latin1'), 'no UTF-8');
  const app = await alone.start();
  await app.ready();
  for (const [name, why] of [
    ['a/b/c', /^ignored: it is a folder below the 2 levels that APP_SCAN_DEPTH allows$/],
    ['.dot', /begins with a dot/],
    ['a/.dot', /begins with a dot/],
    ['a/.dot.bin', /begins with a dot/],
    ['a/x.part', /APP_IGNORE_PATTERNS/],
    ['half.part', /APP_IGNORE_PATTERNS/],
    ['raw/x.bin', /APP_IGNORE_PATTERNS/],
    ['b/link', /it is a symlink/],
    ['a/loop', /it is a symlink/],
    ['a/link.bin', /it is a symlink/],
    ['a/\ufffd', /not valid UTF-8/],
  ] as const)
    await alone.says(name, why);
  await alone.startSession();
  await until('all have jobs', async () => (await alone.waiting()).length >= taken.length);
  await moreScans(alone, app, 2);
  assert.deepEqual(await alone.waiting(), [...taken].sort());
  assert.equal((await alone.job('a/b/x.bin'))?.id, 'f-a%2Fb%2Fx.bin');
  assert.ok(existsSync(join(alone.incoming, 'empty')), 'an age of 0 removes none');
  const view = await alone.incomingView.view();
  assert.deepEqual([view?.ignored, view?.seen], [11, 11 + taken.length]);
});

test('without APP_SCAN_DEPTH folders are ignored, as ever', async (t) => {
  const alone = await ScannerAlone.make(t);
  alone.put(join(alone.incoming, 'a/x.bin'));
  mkdirSync(join(alone.incoming, 'empty'));
  const app = await alone.start({ APP_EMPTY_FOLDER_AGE_S: '0.1' });
  await app.ready();
  await alone.says('a', /^ignored: it is a folder; only files directly in the drop folder are taken$/);
  await moreScans(alone, app, 3);
  assert.ok(existsSync(join(alone.incoming, 'empty')));
  assert.equal(await calls(app, 'lookAtFolders'), 0);
});

test('a tree in which nothing changes costs a look a folder, and only what changed is listed', async (t) => {
  // no recovery but the first: it lists the session's folders
  const alone = await ScannerAlone.make(t, { APP_SCAN_DEPTH: '2', APP_RECOVERY_INTERVAL_S: '600' });
  for (let i = 0; i < 300; i++) alone.put(join(alone.incoming, `d${i % 30}/e${i}/x.bin`));
  const app = await alone.start();
  await app.ready();
  const atRest = () =>
    until('no folder is listed any more', async () => {
      const before = await calls(app, 'list');
      await moreScans(alone, app, 5);
      return (await calls(app, 'list')) === before;
    });
  await atRest();
  const [list, looks, seen] = [
    await calls(app, 'list'),
    await calls(app, 'lookAtFolders'),
    (await alone.incomingView.view())?.seen,
  ];
  await moreScans(alone, app, 5);
  assert.equal(await calls(app, 'list'), list);
  // 1 and 30 and 300 folders by up to 256: four calls a scan
  const inCalls = (await calls(app, 'lookAtFolders')) - looks;
  assert.ok(inCalls >= 5 * 4, `${inCalls}`);
  assert.equal(seen, 300, 'what is in an unchanged folder is not forgotten');

  for (const i of [1, 2, 3]) alone.put(join(alone.incoming, `d${i}/e${i}/new.bin`));
  rmSync(join(alone.incoming, 'd4/e4/x.bin'));
  await until('they are seen', async () => (await alone.incomingView.view())?.seen === 302);
  const before = await scans(alone, app);
  await atRest();
  const [listed, during] = [(await calls(app, 'list')) - list, (await scans(alone, app)) - before];
  // what came in the same tick of the file system's clock as the first listing would not show
  assert.ok(listed > 4, `a folder that has just changed is listed once more: ${listed} listings`);
  assert.ok(listed <= 4 * (during + 10), `${listed} listings in ${during} scans: of the four folders alone`);
  await alone.startSession();
  await alone.jobOf('d1/e1/new.bin');
});

test('a file that comes right after its folder was listed is not overlooked, and folders that move meanwhile are no trouble', async (t) => {
  const alone = await ScannerAlone.make(t, { APP_SCAN_DEPTH: '3', APP_POLL_INTERVAL_S: '0.05' });
  const app = await alone.start();
  await app.ready();
  for (let i = 0; i < 200; i++) {
    alone.put(join(alone.incoming, `d${i % 7}/${i}.bin`));
    await pause(i % 11);
  }
  await until('each is seen', async () => (await alone.incomingView.view())?.seen === 200);

  await alone.startSession();
  const [one, two] = [join(alone.incoming, 'one'), join(alone.incoming, 'two')];
  for (let i = 0; i < 40; i++) alone.put(join(one, `d${i}/e/x.bin`));
  const end = (await scans(alone, app)) + 20;
  for (let turn = 0; (await scans(alone, app)) < end; turn++) {
    renameSync(turn % 2 === 0 ? one : two, turn % 2 === 0 ? two : one);
    mkdirSync(join(alone.incoming, 'short/lived'), { recursive: true });
    rmSync(join(alone.incoming, 'short'), { recursive: true });
  }
  rmSync(one, { recursive: true, force: true });
  rmSync(two, { recursive: true, force: true });
  alone.put(join(alone.incoming, 'three/d/e/x.bin'));
  await alone.jobOf('three/d/e/x.bin');
  const problems = (await alone.pods.alive()).flatMap((pod) => pod.problems);
  assert.deepEqual(
    problems.filter((problem) => !problem.includes('clock')),
    [],
  );
});

test('a folder that may not be listed waits with its whole path, and everything else goes on', async (t) => {
  const alone = await ScannerAlone.make(t, { APP_SCAN_DEPTH: '1' });
  const closed = join(alone.incoming, 'closed');
  alone.put(join(closed, 'x.bin'));
  chmodSync(closed, 0);
  alone.put(join(alone.incoming, 'open/x.bin'));
  const app = await alone.start();
  await app.ready();
  await alone.startSession();
  await alone.jobOf('open/x.bin');
  // root may read everything; test/faults/blocked-entries.test.ts has the same without root's rights
  if (process.getuid?.() === 0) return void (await alone.jobOf('closed/x.bin'));
  assert.match(await alone.problem(/may not be touched/), new RegExp(`^${closed} may not be touched`));
  chmodSync(closed, 0o755);
  await alone.jobOf('closed/x.bin');
});

test('empty folders that may not be removed leave the others their turn', async (t) => {
  const alone = await ScannerAlone.make(t, { APP_SCAN_DEPTH: '2', APP_EMPTY_FOLDER_AGE_S: '1' });
  const parents = ['a', 'z'].map((name) => join(alone.incoming, name));
  for (const parent of parents)
    for (let i = 0; i < 600; i++) mkdirSync(join(parent, `stays-${i}`), { recursive: true });
  const isRoot = process.getuid?.() === 0;
  const lock = (path: string) =>
    isRoot ? void execFileSync('chattr', ['+i', path]) : chmodSync(path, 0o555);
  const unlock = (path: string) =>
    isRoot ? void execFileSync('chattr', ['-i', path]) : chmodSync(path, 0o755);
  parents.forEach(lock);
  try {
    await (await alone.start()).ready();
    await alone.problem(/stays-\d+ may not be touched/);
    const free = Array.from({ length: 8 }, (_, i) => join(alone.incoming, `${i}`, 'goes'));
    for (const folder of free) mkdirSync(folder, { recursive: true });
    await until('the others are gone', () => free.every((folder) => !existsSync(folder)));
    assert.ok(parents.every((parent) => existsSync(join(parent, 'stays-599'))));
  } finally {
    parents.forEach(unlock);
  }
});

test('a sub-folder goes once it has been empty and unchanged for its time, and one that holds anything stays', async (t) => {
  const alone = await ScannerAlone.make(t, { APP_SCAN_DEPTH: '2', APP_EMPTY_FOLDER_AGE_S: '3' });
  const app = await alone.start();
  await app.ready();
  // the change time is the file system's own, whatever a producer says
  const made = Date.now();
  for (const name of ['old', 'dot', 'nested/inner', 'deep/deep/deep'])
    mkdirSync(join(alone.incoming, name), { recursive: true });
  writeFileSync(join(alone.incoming, 'dot/.keep'), '');
  for (const name of ['old', 'dot', 'nested/inner', 'nested'])
    utimesSync(join(alone.incoming, name), OLD, OLD);
  let gone = 0;
  await until('the old one is gone', () => {
    gone = Date.now();
    return !existsSync(join(alone.incoming, 'old'));
  });
  assert.ok(gone - made >= 2_900, `gone after ${gone - made} ms`);
  await until('the nested ones are gone', () => !existsSync(join(alone.incoming, 'nested')));
  await moreScans(alone, app, 3);
  assert.deepEqual(alone.tree(alone.incoming), [
    'deep/',
    'deep/deep/',
    'deep/deep/deep/',
    'dot/',
    'dot/.keep',
  ]);
  // a folder is removed for good: with nothing in it a new one has its own time
  unlinkSync(join(alone.incoming, 'dot/.keep'));
  await until('it is gone too', () => !existsSync(join(alone.incoming, 'dot')));
});

test('a producer that makes a folder and writes into it never finds it gone, a thousand times', async (t) => {
  const alone = await ScannerAlone.make(t, {
    ...{ APP_SCAN_DEPTH: '1', APP_EMPTY_FOLDER_AGE_S: '3', APP_POLL_INTERVAL_S: '0.05' },
  });
  const app = await alone.start();
  await app.ready();
  const folders = Array.from({ length: 250 }, (_, i) => join(alone.incoming, `batch-${i}`));
  const made = new Map<string, { readonly at: number; readonly scan: number }>();
  const written = new Set<string>();
  /** Writes a file into a folder that was made, and takes it away again: the folder is empty once more. */
  const writeInto = (folder: string): void => {
    if (written.has(folder)) return;
    written.add(folder);
    try {
      writeFileSync(join(folder, 'x.bin'), '');
    } catch (error) {
      throw new Stop(`a producer's new folder is gone: ${messageOf(error)}`);
    }
    unlinkSync(join(folder, 'x.bin'));
  };
  for (let turn = 0; turn < 4; turn++) {
    // what the scanner removes in this moment is made anew in this moment
    await until('the scanner has removed them all', async () => {
      const scan = await scans(alone, app);
      for (const folder of folders.filter((each) => !made.has(each) && !existsSync(each))) {
        mkdirSync(folder);
        made.set(folder, { at: Date.now(), scan });
        if (made.size % 2 === 0) writeInto(folder);
      }
      // the others are seen empty by a whole scan, unless the machine is slow: far below the age at which they would go
      for (const [folder, { at, scan: then }] of made)
        if (scan > then + 2 || Date.now() - at > 1_500) writeInto(folder);
      return made.size === folders.length && written.size === folders.length;
    });
    made.clear();
    written.clear();
  }
});

test('a file and a folder of one name wait for each other, and a stop once through takes what stands in folders', async (t) => {
  const alone = await ScannerAlone.make(t, { APP_SCAN_DEPTH: '2', APP_MIN_FILE_AGE_S: '1' });
  const app = await alone.start();
  await app.ready();
  const session = await alone.startSession();
  // claimed: gone from here, and their jobs wait
  for (const name of ['a', 'b/c/x.bin']) alone.put(join(alone.incoming, name));
  for (const name of ['a', 'b/c/x.bin']) await alone.jobOf(name);
  for (const name of ['a', 'b']) rmSync(join(alone.incoming, name), { recursive: true });
  const held = /^held: ".*" is not through yet, and no folder holds a file and a folder of one name$/;
  for (const name of ['a/x.bin', 'b']) alone.put(join(alone.incoming, name));
  for (const name of ['a/x.bin', 'b']) await alone.says(name, held);
  await moreScans(alone, app, 5);
  for (const name of ['a/x.bin', 'b']) assert.equal(await alone.job(name), undefined);

  assert.notEqual(await alone.sessions.stopOnceThrough(), null);
  for (const name of ['a', 'b/c/x.bin']) await (await alone.job(name))?.remove();
  for (const name of ['a/x.bin', 'b'])
    assert.equal((await alone.jobOf(name)).data.encoded_session, session.encodedSession);
  await until('the session is stopped', async () => (await alone.sessions.watch())?.enabled === false);
});
