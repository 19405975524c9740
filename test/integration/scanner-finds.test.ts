import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Child, test, until } from '../support/index.js';
import { ScannerAlone } from './scanner-alone.js';

test('a file is taken once two looks agree and it is old enough, into the active session', async (t) => {
  // scans come when a session starts, and only then: what one says stays until the next
  const alone = await ScannerAlone.make(t, { APP_POLL_INTERVAL_S: '600', APP_MIN_FILE_AGE_S: '0' });
  const slow = await alone.start();
  await alone.hearsOfStarts(slow);
  const [path, looked] = [
    join(alone.incoming, 'a.bin'),
    async (session: string, sentence: RegExp) => {
      await alone.startSession(session);
      await alone.says('a.bin', sentence);
      assert.equal(await alone.job('a.bin'), undefined);
    },
  ];
  alone.put(path, 'one');
  await looked('1', /^settling: first look/);
  appendFileSync(path, 'two');
  await looked('2', /^settling: size changed/);
  utimesSync(path, 1_700_000_000, 1_700_000_000.5);
  await looked('3', /^settling: modification time changed/);
  await slow.stop();
  await alone.startSession();
  await alone.start({ APP_POLL_INTERVAL_S: '0.2' });
  const { data } = await alone.jobOf('a.bin');
  assert.deepEqual(data, {
    date_prefix: '20260131',
    encoded_session: 'my%20session',
    filename: 'a.bin',
    size: 6,
    mtime_ns: '1700000000500000000',
    ino: String(statSync(join(alone.incoming, 'a.bin'), { bigint: true }).ino),
  });
  assert.deepEqual(readdirSync(alone.incoming), ['a.bin'], 'the scanner touches no source');
});

test('a file that is not old enough waits, and says so', async (t) => {
  const alone = await ScannerAlone.make(t, { APP_MIN_FILE_AGE_S: '3600' });
  const app = await alone.start();
  await app.ready();
  await alone.startSession();
  alone.put(join(alone.incoming, 'young.bin'));
  // an old mtime alone is what a copier makes that keeps times; ctime tells when it came
  utimesSync(join(alone.incoming, 'young.bin'), 1_600_000_000, 1_600_000_000);
  await alone.says('young.bin', /^settling: it must rest for 3600\.0 s$/);
  utimesSync(join(alone.incoming, 'young.bin'), 4_000_000_000, 4_000_000_000);
  await alone.says('young.bin', /its times are in the future, so age counts from the first look/);
  assert.equal(await alone.job('young.bin'), undefined);
});

test('a session that is started wakes the scanner, which still wants two looks that are apart', async (t) => {
  const alone = await ScannerAlone.make(t, { APP_POLL_INTERVAL_S: '600', APP_MIN_FILE_AGE_S: '0' });
  alone.put(join(alone.incoming, 'early.bin'));
  const app = await alone.start();
  await app.ready();
  await alone.says('early.bin', /^settling: no session is active/);
  await alone.hearsOfStarts(app);
  await alone.startSession();
  await alone.says('early.bin', /^settling: unchanged, and looked at again a little later$/);
  assert.equal(await alone.job('early.bin'), undefined);
  await alone.startSession('another');
  await until(
    'another scan',
    async () => (await alone.metric(app, 'sluice_scan_duration_seconds_count')) >= 3,
  );
});

test('without a session files are seen and left alone', async (t) => {
  const alone = await ScannerAlone.make(t);
  const app = await alone.start();
  await app.ready();
  alone.put(join(alone.incoming, 'early.bin'));
  await alone.says('early.bin', /^settling: no session is active; start one with POST \/v1\/watch\/start$/);
  await alone.recoveries(app);
  assert.equal(await alone.job('early.bin'), undefined);
  await alone.startSession();
  await alone.jobOf('early.bin');
  await alone.sessions.stop();
  await until('the stop is logged', () => app.logs.some(({ msg }) => msg === 'session stopped'));
  assert.equal(app.logs.filter(({ msg }) => String(msg).startsWith('session started: ')).length, 1);
});

test('what is no plain file, or has a name that is not taken, is counted with its reason and left alone', async (t) => {
  const alone = await ScannerAlone.make(t, { APP_IGNORE_PATTERNS: '*.part, *.tmp' });
  const app = await alone.start();
  await app.ready();
  const at = (name: string) => join(alone.incoming, name);
  mkdirSync(at('folder'));
  alone.put(at('folder/inside.bin'));
  alone.put(join(alone.folder, 'elsewhere.bin'));
  symlinkSync(join(alone.folder, 'elsewhere.bin'), at('link.bin'));
  symlinkSync('/nowhere', at('dangling'));
  execFileSync('mkfifo', [at('fifo')]);
  alone.put(at('.hidden'));
  alone.put(at('.nfs000000000001'));
  alone.put(at('.sluice-mine'));
  alone.put(at('upload.part'));
  alone.put(at('b.tmp'));
  writeFileSync(Buffer.concat([Buffer.from(`${alone.incoming}/bad-`), Buffer.from([0xff, 0xfe])]), 'x');
  alone.put(at('good.bin'));
  await alone.startSession();
  await alone.jobOf('good.bin');
  for (const [name, why] of [
    ['folder', /^ignored: it is a folder/],
    ['link.bin', /^ignored: it is a symlink, not a plain file$/],
    ['dangling', /^ignored: it is a symlink/],
    ['fifo', /^ignored: it is a fifo/],
    ['.hidden', /^ignored: its name begins with a dot$/],
    ['.nfs000000000001', /^ignored: its name begins with a dot$/],
    ['.sluice-mine', /^ignored: its name begins with a dot$/],
    ['upload.part', /^ignored: APP_IGNORE_PATTERNS lists it$/],
    ['b.tmp', /^ignored: APP_IGNORE_PATTERNS lists it$/],
    ['bad-\ufffd\ufffd', /^ignored: its name is not valid UTF-8$/],
  ] as const)
    await alone.says(name, why);
  await alone.recoveries(app);
  assert.deepEqual(await alone.waiting(), ['good.bin']);
  const view = await alone.incomingView.view();
  assert.deepEqual(
    { ...view, oldest_age_s: 0 },
    { seen: 11, settling: 0, held: 0, ignored: 10, oldest_age_s: 0, unexamined: 0 },
  );
});

test('the smallest names go first, as many as the queue has room for, and a full queue costs no look', async (t) => {
  const alone = await ScannerAlone.make(t, { APP_MAX_QUEUE_SIZE: '3' });
  mkdirSync(alone.incoming, { recursive: true });
  const names = Array.from({ length: 40 }, (_, i) => `file-${String(i).padStart(3, '0')}`);
  for (const name of [...names].reverse()) alone.put(join(alone.incoming, name));
  const app = await alone.start();
  await alone.startSession();
  await until('the queue is full', async () => (await alone.waiting()).length === 3);
  assert.deepEqual(await alone.waiting(), names.slice(0, 3));
  await until('the view says so', async () => (await alone.incomingView.view())?.unexamined === 37);
  const before = await alone.metric(app, 'sluice_scan_examined_files_total');
  await alone.recoveries(app);
  assert.equal(await alone.metric(app, 'sluice_scan_examined_files_total'), before);
  for (const name of names.slice(0, 3)) {
    rmSync(join(alone.incoming, name));
    await (await alone.job(name))?.remove();
  }
  await until('the next three', async () => (await alone.waiting()).length === 3);
  assert.deepEqual(await alone.waiting(), names.slice(3, 6));
});

test('a session that starts takes files at once that came to rest before', async (t) => {
  const alone = await ScannerAlone.make(t, { APP_POLL_INTERVAL_S: '3', APP_MAX_QUEUE_SIZE: '500' });
  mkdirSync(alone.incoming, { recursive: true });
  for (let i = 0; i < 300; i++) alone.put(join(alone.incoming, `file-${i}`));
  const app = await alone.start();
  const scans = () => alone.metric(app, 'sluice_scan_duration_seconds_count');
  await until('they were looked at twice', async () => (await scans()) >= 2);
  const before = await scans();
  await alone.startSession();
  await until('all are enqueued', async () => (await alone.waiting()).length === 300);
  assert.ok((await scans()) - before <= 1, 'by the scan that the start brought');
});

test('files that settle do not keep the others from being taken', async (t) => {
  const alone = await ScannerAlone.make(t, { APP_MAX_QUEUE_SIZE: '2', APP_MIN_FILE_AGE_S: '2' });
  const app = await alone.start();
  await app.ready();
  // a time in the future never settles by itself as long as it changes
  alone.put(join(alone.incoming, 'a-grows'));
  const growing = setInterval(() => appendFileSync(join(alone.incoming, 'a-grows'), 'more'), 100);
  t.after(() => clearInterval(growing));
  alone.put(join(alone.incoming, 'b-rests'));
  await alone.startSession();
  await alone.jobOf('b-rests');
  assert.equal(await alone.job('a-grows'), undefined);
});

test('a file that cannot be opened stalls nobody, and is a problem that names it', async (t) => {
  const alone = await ScannerAlone.make(t);
  const app = await alone.start();
  await app.ready();
  await alone.startSession();
  alone.put(join(alone.incoming, 'a-secret'));
  chmodSync(join(alone.incoming, 'a-secret'), 0);
  alone.put(join(alone.incoming, 'b-open'));
  await alone.jobOf('b-open');
  // root may open everything: then it is taken like any other
  if (process.getuid?.() === 0) return void (await alone.jobOf('a-secret'));
  await alone.problem(/^1 file in the drop folder cannot be opened, the first is "a-secret"/);
  await alone.says('a-secret', /^settling: it cannot be opened: EACCES$/);
  await alone.sessions.stop();
  alone.put(join(alone.incoming, 'c-later'));
  await alone.says('c-later', /no session is active/);
  await alone.problem(/^1 file in the drop folder cannot be opened, the first is "a-secret"/);
  await alone.says('a-secret', /^settling: it cannot be opened: EACCES$/);
});

test('whatever never comes to rest and sorts first, the files behind it go, and so does it once it rests', async (t) => {
  const [room, growing] = [5, 20];
  const alone = await ScannerAlone.make(t, {
    APP_MAX_QUEUE_SIZE: String(room),
    APP_POLL_INTERVAL_S: '0.1',
    APP_MIN_FILE_AGE_S: '5',
  });
  const grow = Array.from({ length: growing }, (_, i) => `a-grows-${String(i).padStart(2, '0')}`);
  const rest = Array.from({ length: 2 * room }, (_, i) => `b-rests-${i}`);
  for (const name of [...grow, ...rest]) alone.put(join(alone.incoming, name));
  // in a process of its own, so that nothing that this one does holds it up
  const paths = grow.map((name) => join(alone.incoming, name));
  const append = `setInterval(() => ${JSON.stringify(paths)}.forEach((path) => require('fs').appendFileSync(path, 'x')), 50)`;
  const grower = new Child(process.execPath, ['-e', append], {});
  t.after(() => grower.kill());
  const app = await alone.start();
  await app.ready();
  await alone.startSession();
  const done: string[] = [];
  alone.work(async (job) => {
    rmSync(join(alone.incoming, job.data.filename));
    done.push(job.data.filename);
  });
  await until('those that rest are through', () => {
    if (done.length >= rest.length) return true;
    throw new Error(JSON.stringify(done));
  });
  assert.deepEqual([...done].sort(), rest);
  await grower.kill();
  await until('and the others', () => {
    if (done.length === rest.length + grow.length) return true;
    throw new Error(JSON.stringify(done));
  });
});
