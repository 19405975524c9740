import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { blobName, sessionKey } from '@app/shared/domain';
import type { PodReport } from '@app/shared/pods';
import { NO_BATCH } from '@app/shared/records';
import { test, until } from '../support/index.js';
import { ScannerAlone, SESSION } from './scanner-alone.js';

const FACTS = { blobUrl: 'http://x', size: 10, md5: null, mtimeMs: 1, attempts: 1, pod: 'a', maxFiles: 100 };
/** What failed here stands in no folder. */
const NO_RECOVERY = { APP_RECOVERY_INTERVAL_S: '3600' };
const start = (alone: ScannerAlone) =>
  alone.sessions.start(SESSION, null, { ...NO_BATCH, files: 4, endMarker: 'END' });

test('an end marker waits for every other file of its session, names what failed, and goes last', async (t) => {
  const alone = await ScannerAlone.make(t, { APP_MAX_QUEUE_SIZE: '2', ...NO_RECOVERY });
  for (const name of ['END', 'a.bin', 'b.bin', 'c.bin']) alone.put(join(alone.incoming, name));
  const app = await alone.start();
  await app.ready();
  await start(alone);
  await alone.jobOf('a.bin');
  await alone.jobOf('b.bin');
  await alone.says(
    'END',
    /^held: the end marker goes last, and other files of its session are not in the store/,
  );

  for (const name of ['a.bin', 'b.bin']) {
    await (await alone.jobOf(name)).remove();
    await alone.moves.receipt(SESSION, name, name, FACTS);
    rmSync(join(alone.incoming, name));
  }
  await alone.jobOf('c.bin');
  await alone.says('END', /^held: the end marker goes last, and other files/);
  const reason = { why: 'failed', attempts: 1, code: 'X', count: true };
  await alone.moves.quarantined({ session: SESSION, filename: 'c.bin', size: 10 }, reason);
  await alone.says(
    'END',
    /^held: .* 1 file of its session failed, the first is "c\.bin"; retry it, or remove it$/,
  );
  await alone.problem(/^the end marker "END" is not uploaded, since 1 file of its session failed/);
  assert.equal(await alone.job('END'), undefined);

  await (await alone.jobOf('c.bin')).remove();
  await alone.moves.receipt(SESSION, 'c.bin', 'c.bin', FACTS);
  rmSync(join(alone.incoming, 'c.bin'));
  await alone.jobOf('END');
});

for (const known of ['the queue', 'recovery'] as const)
  test(`an end marker waits for the second file of a name whose first, known from ${known}, has just come through`, async (t) => {
    const alone = await ScannerAlone.make(t, { ...NO_RECOVERY, APP_POLL_INTERVAL_S: '1' });
    const [home, claimed] = [
      join(alone.incoming, 'x.bin'),
      join(alone.processing, sessionKey(SESSION), 'x.bin'),
    ];
    let through = false;
    const uploader =
      known === 'the queue' ? alone.work(() => until('its upload may end', () => through, 120_000)) : null;
    if (!uploader) alone.put(claimed);
    const app = await alone.start();
    await app.ready();
    await start(alone);
    if (uploader) {
      alone.put(home);
      await alone.jobOf('x.bin');
      mkdirSync(join(claimed, '..'), { recursive: true });
      renameSync(home, claimed);
    } else await alone.jobOf('x.bin');
    alone.put(home, 'the second file');
    alone.put(join(alone.incoming, 'END'));
    await alone.says('x.bin', /^held: the first file of this name is under way$/);
    await alone.says('END', /^held: the end marker goes last/);

    // between two scans: nothing of the session is under way, and nothing is noted of the name
    app.freeze();
    rmSync(claimed);
    await alone.moves.receipt(SESSION, 'x.bin', 'first', FACTS);
    const first = await alone.jobOf('x.bin');
    through = true;
    if (uploader) {
      await until('its job is complete', () => first.isCompleted());
      await uploader.close();
    } else await first.remove();
    app.thaw();
    await until('the second file has a job', async () => (await alone.job('x.bin'))?.data.size === 15);
    assert.equal(await alone.job('END'), undefined);
  });

test('an end marker waits for what uploaders have in hand, which a Redis that lost its data has no record of', async (t) => {
  const alone = await ScannerAlone.make(t);
  const claimed = join(alone.processing, sessionKey(SESSION), 'deep/x.bin');
  const pod: PodReport = {
    ...{ id: 'u', role: 'uploader', name: 'u', version: '0', started_at: '', ready: true, standby: false },
    ...{ volume: null, disk: { volume: null, staging: null }, problems: [], rates: {} },
    hands: [blobName(SESSION, 'deep/x.bin')],
  };
  alone.put(claimed);
  await alone.pods.report(pod);
  const app = await alone.start();
  await app.ready();
  await start(alone);
  alone.put(join(alone.incoming, 'END'));
  await alone.says('END', /^held: the end marker goes last/);
  await alone.pods.report(pod);
  await alone.recoveries(app);
  assert.equal(await alone.job('END'), undefined);

  // its source is gone, its receipt to come
  await alone.pods.report(pod);
  rmSync(claimed);
  await alone.recoveries(app);
  assert.equal(await alone.job('END'), undefined);
  await alone.pods.leave(pod.id);
  await alone.jobOf('END');
});

test('what a session expects outlives a Redis that lost its data', async (t) => {
  const alone = await ScannerAlone.make(t);
  const app = await alone.start();
  await app.ready();
  await start(alone);
  const note = join(alone.processing, '.sluice-session');
  await until('the volume knows', () => existsSync(note) && readFileSync(note, 'utf8').includes('"END"'));
  await alone.client.flushall();
  const watch = await until('the session is there again', () => alone.sessions.watch());
  assert.deepEqual(watch.session?.batch, { files: 4, bytes: null, endMarker: 'END' });
  const [record] = await alone.sessions.read([`${SESSION.datePrefix}/${SESSION.encodedSession}`]);
  assert.deepEqual(record?.batch, watch.session?.batch);
});

test('a stop once through does not wait for an end marker that waits for a failed file', async (t) => {
  const alone = await ScannerAlone.make(t, NO_RECOVERY);
  const app = await alone.start();
  await app.ready();
  await start(alone);
  const reason = { why: 'failed', attempts: 1, code: 'X', count: true };
  await alone.moves.quarantined({ session: SESSION, filename: 'c.bin', size: 10 }, reason);
  alone.put(join(alone.incoming, 'END'));
  await alone.problem(/^the end marker "END" is not uploaded/);
  await alone.sessions.stopOnceThrough();
  await until('the session is stopped', async () => (await alone.sessions.watch())?.enabled === false);
  assert.deepEqual(alone.tree(alone.incoming), ['END']);
});

test('an end marker behind a file that waits for an older quarantine says so, and a stop once through ends', async (t) => {
  const alone = await ScannerAlone.make(t, { APP_SIDECAR_CHECKSUMS: 'optional' });
  const older = join(alone.failed, '20260130/older');
  for (const name of ['bad.bin', 'lone.bin']) alone.put(join(older, name));
  const app = await alone.start();
  await app.ready();
  for (const name of ['bad.bin', 'lone.bin.md5', 'END']) alone.put(join(alone.incoming, name));
  await start(alone);
  await alone.problem(
    /^the end marker "END" is not uploaded, since 1 file before it .* are quarantined, the first is "bad\.bin"; retry/,
  );
  await alone.says('END', /^held: the end marker goes last, and 1 file before it in the drop folder/);
  await alone.says('lone.bin.md5', /^held: it is the checksum of a file that is quarantined/);
  await alone.sessions.stopOnceThrough();
  await until('the session is stopped', async () => (await alone.sessions.watch())?.enabled === false);

  // the checksum alone keeps nothing back
  await start(alone);
  rmSync(join(alone.incoming, 'bad.bin'));
  await alone.jobOf('END');
});
