import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { reasonFileName, removingName, sessionKey } from '@app/shared/domain';
import { test, until } from '../support/index.js';
import { ScannerAlone, SESSION } from './scanner-alone.js';

const KEY = sessionKey(SESSION);
const LONG = 'x'.repeat(250);

test('files in folders go back to the queue by their paths, with their reasons and left-overs; symlinks are not entered', async (t) => {
  const alone = await ScannerAlone.make(t);
  const [processing, failed] = [join(alone.processing, KEY), join(alone.failed, KEY)];
  const reason = { code: 'InvalidInput', message: '400', attempts: 5 };
  alone.put(join(processing, 'a/b/c/claimed.bin'));
  alone.put(join(processing, 'a/b', removingName('a/b/left.bin', '0123abcd')), 'left');
  alone.put(join(processing, 'a/b', removingName(`a/b/${LONG}`, '11112222')), 'long');
  alone.put(join(processing, 'a/b/.sluice-name-11112222'), LONG);
  alone.put(join(alone.folder, 'elsewhere/x.bin'));
  symlinkSync(join(alone.folder, 'elsewhere'), join(processing, 'a/link'));
  alone.put(join(failed, 'q/bad.bin'));
  alone.put(
    join(failed, 'q', reasonFileName('bad.bin')),
    JSON.stringify({ filename: 'q/bad.bin', ...reason }),
  );
  // a folder that took a file's place is quarantined whole
  alone.put(join(failed, 'exchanged/inside.bin'));
  alone.put(join(failed, reasonFileName('exchanged')), JSON.stringify({ ...reason, code: 'NotAPlainFile' }));
  const short = join(processing, 'a/.sluice-tmp-1-old');
  alone.put(short);
  utimesSync(short, 1_700_000_000, 1_700_000_000);
  const app = await alone.start();
  await app.ready();

  for (const name of ['a/b/c/claimed.bin', 'a/b/left.bin', `a/b/${LONG}`, 'a/link']) {
    const { data } = await alone.jobOf(name);
    assert.deepEqual(
      [data.date_prefix, data.encoded_session, data.quarantined],
      [SESSION.datePrefix, SESSION.encodedSession, undefined],
      name,
    );
  }
  assert.equal(readFileSync(join(processing, 'a/b/left.bin'), 'utf8'), 'left');
  assert.equal(readFileSync(join(processing, 'a/b', LONG), 'utf8'), 'long');
  assert.equal((await alone.jobOf('q/bad.bin')).data.quarantined?.code, 'InvalidInput');
  assert.equal((await alone.jobOf('exchanged')).data.quarantined?.code, 'NotAPlainFile');
  await until('what was short-lived is gone', () => !existsSync(short));
  for (const name of ['a/link/x.bin', 'exchanged/inside.bin'])
    assert.equal(await alone.job(name), undefined, name);
  assert.ok(existsSync(join(processing, 'a/link')));

  // held by their whole paths, and only these
  await alone.startSession('another');
  renameSync(join(failed, 'q'), join(failed, 'elsewhere'));
  alone.put(join(processing, 'bad.bin'));
  await alone.jobOf('elsewhere/bad.bin');
  await alone.jobOf('bad.bin');
});

test('empty folders below a session go the deepest first, those of the active session once they are empty twice', async (t) => {
  const alone = await ScannerAlone.make(t);
  const session = await alone.startSession();
  const active = join(alone.processing, sessionKey(session));
  const over = join(alone.failed, '20250101/over');
  for (const folder of [join(active, 'a/b/c'), join(active, 'a/d'), join(over, 'a/b/c')])
    mkdirSync(folder, { recursive: true });
  alone.put(join(active, 'keep/.nfs0001'));
  const app = await alone.start();
  await app.ready();
  await until(
    'they are gone',
    () => !existsSync(join(alone.failed, '20250101')) && !existsSync(join(active, 'a')),
  );
  assert.ok(existsSync(join(active, 'keep')), 'what holds anything stays, and the folder of the session');
});

test('a folder deeper than any of ours is not entered, and said', async (t) => {
  const alone = await ScannerAlone.make(t);
  const folder = join(alone.processing, KEY, Array.from({ length: 16 }, (_, i) => `f${i}`).join('/'));
  alone.put(join(folder, 'x.bin'));
  mkdirSync(join(folder, 'deeper'));
  writeFileSync(join(folder, 'deeper/y.bin'), 'y');
  const app = await alone.start();
  await app.ready();
  assert.match(await alone.problem(/deeper than 16 folders/), new RegExp(join(folder, 'deeper')));
  await alone.jobOf(`${folder.slice(join(alone.processing, KEY).length + 1)}/x.bin`);
  assert.ok(existsSync(join(folder, 'deeper/y.bin')));
});
