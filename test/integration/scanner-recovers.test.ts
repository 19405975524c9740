import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { jobId, reasonFileName, removingName, sessionKey } from '@app/shared/domain';
import type { PodReport } from '@app/shared/pods';
import { test, until } from '../support/index.js';
import { ScannerAlone, SESSION } from './scanner-alone.js';

const KEY = sessionKey(SESSION);

test('claimed files go back to the queue, into the date and session that their folders name', async (t) => {
  const alone = await ScannerAlone.make(t);
  alone.put(join(alone.processing, '20250102/old%20one/a.bin'), 'aaa');
  alone.put(join(alone.processing, '20250103/b/a.bin'), 'a later one of this name');
  alone.put(join(alone.processing, '20250103/b/c.bin'), 'c');
  // none of these is a session's folder
  alone.put(join(alone.processing, '20251399/b/d.bin'));
  alone.put(join(alone.processing, '20250103/not encoded/d.bin'));
  alone.put(join(alone.processing, '20250103/d.bin'));
  const app = await alone.start();
  await app.ready();
  const first = await alone.jobOf('a.bin');
  assert.deepEqual(first.data, { date_prefix: '20250102', encoded_session: 'old%20one', filename: 'a.bin' });
  const { data } = await alone.jobOf('c.bin');
  assert.deepEqual(data, { date_prefix: '20250103', encoded_session: 'b', filename: 'c.bin' });
  await until('it is logged', () => app.logs.some(({ msg }) => msg === 'recovery found 2 claimed files'));
  const [session] = await alone.sessions.read(['20250102/old%20one']);
  assert.deepEqual(session?.files, { queued: 1, active: 0, delayed: 0, done: 0, failed: 0 });
  assert.equal(session?.name, 'old one');

  // the older one is through; then the other of its name comes
  rmSync(join(alone.processing, '20250102/old%20one/a.bin'));
  await first.remove();
  await until('the later one', async () => (await alone.job('a.bin'))?.data.date_prefix === '20250103');
  assert.equal(await alone.job('d.bin'), undefined);
});

test('a claim that a living pod has in hand is left to it', async (t) => {
  const alone = await ScannerAlone.make(t);
  alone.put(join(alone.processing, KEY, 'mine.bin'));
  alone.put(join(alone.processing, KEY, 'exchanged.bin/half.part'));
  alone.put(join(alone.processing, KEY, 'free.bin'));
  const pod: PodReport = {
    id: 'abc',
    role: 'uploader',
    name: 'a',
    version: '1',
    started_at: new Date().toISOString(),
    ready: true,
    standby: false,
    volume: null,
    disk: { volume: null, staging: null },
    problems: [],
    hands: [`${KEY}/mine.bin`, `${KEY}/exchanged.bin`],
    rates: {},
  };
  await alone.pods.report(pod);
  const beats = setInterval(() => void alone.pods.report(pod), 1000);
  t.after(() => clearInterval(beats));
  const app = await alone.start();
  await app.ready();
  await alone.jobOf('free.bin');
  await alone.recoveries(app);
  assert.equal(await alone.job('mine.bin'), undefined);
  assert.equal(await alone.job('exchanged.bin/half.part'), undefined, 'nor what is in a folder of its name');
  clearInterval(beats);
  await alone.pods.leave('abc');
  await alone.jobOf('mine.bin');
});

test('a quarantined file without a job stands as failed again, with its stored reason and uncounted', async (t) => {
  const alone = await ScannerAlone.make(t);
  const folder = join(alone.failed, KEY);
  const reason = {
    code: 'InvalidInput',
    message: '400 InvalidInput',
    attempts: 5,
    first_attempt_at: '2026-01-31T10:00:00.000Z',
    last_attempt_at: '2026-01-31T10:05:00.000Z',
  };
  const long = 'x'.repeat(250);
  for (const name of ['bad.bin', long]) {
    alone.put(join(folder, name));
    alone.put(join(folder, reasonFileName(name)), JSON.stringify({ filename: name, ...reason }));
  }
  const app = await alone.start();
  await app.ready();
  for (const name of ['bad.bin', long]) {
    const { data } = await alone.jobOf(name);
    assert.deepEqual(data.quarantined, reason);
  }
  const [session] = await alone.sessions.read([KEY]);
  assert.equal(session?.files.failed, 2);
  assert.equal(await alone.client.hget('{sluice}:totals', 'processed_err'), null);
});

test('a quarantined file that somebody removed frees its name, and its reason goes', async (t) => {
  const alone = await ScannerAlone.make(t);
  const folder = join(alone.failed, KEY);
  alone.put(join(folder, 'bad.bin'));
  const reason = join(folder, reasonFileName('bad.bin'));
  alone.put(reason, JSON.stringify({ code: 'X', message: 'x', attempts: 1 }));
  const app = await alone.start();
  await app.ready();
  await alone.jobOf('bad.bin');
  alone.work(() => Promise.reject(new Error('refused')));
  await until('it failed', async () => (await (await alone.job('bad.bin'))?.getState()) === 'failed');
  await alone.recoveries(app);
  assert.ok(await alone.job('bad.bin'), 'its job stays as long as its file');
  rmSync(join(folder, 'bad.bin'));
  utimesSync(reason, 1_700_000_000, 1_700_000_000);
  await until('its job is gone', async () => (await alone.job('bad.bin')) === undefined);
  await until('its reason is gone', () => !existsSync(reason));
  await until('its record is gone', async () => (await alone.client.hlen('{sluice}:live')) === 0);
  await until('its folders are gone', () => !existsSync(join(alone.failed, '20260131')));
});

test('what a run left in its removal step goes back under its name, never over another file', async (t) => {
  const alone = await ScannerAlone.make(t);
  const folder = join(alone.processing, KEY);
  const long = 'ü'.repeat(125);
  alone.put(join(folder, removingName('left.bin', '0123abcd')), 'left');
  alone.put(join(folder, removingName(long, '11112222')), 'long');
  alone.put(join(folder, '.sluice-name-11112222'), long);
  alone.put(join(folder, removingName('taken.bin', 'aaaabbbb')), 'old');
  alone.put(join(folder, 'taken.bin'), 'new');
  alone.put(join(folder, removingName('y'.repeat(254), 'ffff0000')), 'nameless');
  const app = await alone.start();
  await app.ready();
  await alone.jobOf('left.bin');
  await alone.jobOf(long);
  await alone.jobOf('taken.bin');
  assert.equal(readFileSync(join(folder, 'left.bin'), 'utf8'), 'left');
  assert.equal(readFileSync(join(folder, long), 'utf8'), 'long');
  assert.equal(existsSync(join(folder, '.sluice-name-11112222')), false);
  await alone.recoveries(app);
  assert.equal(readFileSync(join(folder, 'taken.bin'), 'utf8'), 'new');
  await alone.problem(/is a file whose removal did not end, and its name is not known; rename it by hand/);
  rmSync(join(folder, 'taken.bin'));
  await until('the old one is back', () => existsSync(join(folder, 'taken.bin')));
  assert.equal(readFileSync(join(folder, 'taken.bin'), 'utf8'), 'old');
});

test('short-lived files of dead processes are swept, young ones stay', async (t) => {
  const alone = await ScannerAlone.make(t);
  const places = [alone.incoming, alone.processing, alone.failed, join(alone.processing, KEY)];
  for (const place of places)
    for (const name of ['.sluice-tmp-1-old', '.sluice-probe-old', '.sluice-tmp-1-young']) {
      alone.put(join(place, name));
      if (name.endsWith('old')) utimesSync(join(place, name), 1_700_000_000, 1_700_000_000);
    }
  alone.put(join(alone.processing, KEY, '.sluice-name-00000000'), 'gone.bin');
  utimesSync(join(alone.processing, KEY, '.sluice-name-00000000'), 1_700_000_000, 1_700_000_000);
  const app = await alone.start();
  await app.ready();
  await until(
    'the old ones are gone',
    () =>
      places.every((place) => alone.tree(place).every((name) => !name.endsWith('old'))) &&
      !existsSync(join(alone.processing, KEY, '.sluice-name-00000000')),
  );
  for (const place of places) assert.ok(existsSync(join(place, '.sluice-tmp-1-young')));
});

test('odd entries under names of our own stop nothing, and stay', async (t) => {
  const alone = await ScannerAlone.make(t);
  const failed = join(alone.failed, KEY);
  const folders = [
    join(failed, reasonFileName('a.bin')),
    join(failed, reasonFileName('gone.bin')),
    join(alone.processing, KEY, '.sluice-name-00000000'),
    join(alone.processing, KEY, '.sluice-removing-00000000.x.bin'),
    join(alone.incoming, '.sluice-probe-0'),
    join(alone.processing, '.sluice-tmp-0'),
  ];
  for (const folder of folders) {
    mkdirSync(folder, { recursive: true });
    utimesSync(folder, 1_700_000_000, 1_700_000_000);
  }
  for (const name of ['a.bin', 'b.bin']) alone.put(join(failed, name));
  alone.put(join(failed, reasonFileName('b.bin')), `{"message": "${'x'.repeat(100_000)}"}`);
  alone.put(join(alone.processing, KEY, 'claimed.bin'));
  await alone.startSession();
  alone.put(join(alone.incoming, 'good.bin'));
  const app = await alone.start();
  await app.ready();
  for (const name of ['a.bin', 'b.bin'])
    assert.equal((await alone.jobOf(name)).data.quarantined?.message, 'no reason is recorded');
  await alone.jobOf('claimed.bin');
  await alone.jobOf('good.bin');
  await alone.recoveries(app);
  for (const folder of folders) assert.ok(existsSync(folder), folder);
});

test('empty folders of finished sessions go, those of the active session stay', async (t) => {
  const alone = await ScannerAlone.make(t);
  const session = await alone.startSession();
  mkdirSync(join(alone.processing, sessionKey(session)), { recursive: true });
  mkdirSync(join(alone.processing, '20250101/over'), { recursive: true });
  mkdirSync(join(alone.failed, '20250101/over'), { recursive: true });
  const app = await alone.start();
  await app.ready();
  await until(
    'they are gone',
    () => !existsSync(join(alone.processing, '20250101')) && !existsSync(join(alone.failed, '20250101')),
  );
  assert.ok(existsSync(join(alone.processing, sessionKey(session))));
  await alone.sessions.stop();
  await until('and now its own', () => !existsSync(join(alone.processing, SESSION.datePrefix)));
});

test('a record without job and file is forgotten, so that its session can finish', async (t) => {
  const alone = await ScannerAlone.make(t);
  const app = await alone.start();
  await app.ready();
  const session = await alone.startSession();
  alone.put(join(alone.incoming, 'taken-back.bin'));
  const job = await alone.jobOf('taken-back.bin');
  await alone.sessions.stop();
  rmSync(join(alone.incoming, 'taken-back.bin'));
  await job.remove();
  await until(
    'the session is finished',
    async () => (await alone.sessions.read([sessionKey(session)]))[0]?.state === 'finished',
  );
});

test('a failed job of nothing that can be read stays for people to see', async (t) => {
  const alone = await ScannerAlone.make(t);
  const app = await alone.start();
  await app.ready();
  await alone.queue.add('upload', { filename: '../../etc/passwd' } as never, { jobId: jobId('evil') });
  alone.work(() => Promise.reject(new Error('InvalidJob')));
  await until('it failed', async () => (await (await alone.job('evil'))?.getState()) === 'failed');
  await alone.recoveries(app);
  assert.ok(await alone.job('evil'));
});
