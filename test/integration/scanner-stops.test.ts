import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { sessionKey } from '@app/shared/domain';
import { test, until } from '../support/index.js';
import { ScannerAlone } from './scanner-alone.js';

const stopped = (alone: ScannerAlone) =>
  until('the session is stopped', async () => {
    const watch = await alone.sessions.watch();
    if (watch?.enabled === false) return true;
    throw new Error(JSON.stringify(watch));
  });

test('a stop once through takes files that do not rest yet, and waits for no name that is quarantined', async (t) => {
  const alone = await ScannerAlone.make(t, { APP_MIN_FILE_AGE_S: '1' });
  const app = await alone.start();
  await app.ready();
  const session = await alone.startSession();
  alone.put(join(alone.failed, sessionKey(session), 'held.bin'));
  alone.put(join(alone.incoming, 'held.bin'));
  await alone.says('held.bin', /^held: a file of this name is quarantined/);
  alone.put(join(alone.incoming, 'young.bin'));
  alone.put(join(alone.incoming, '.dot'));
  assert.notEqual(await alone.sessions.stopOnceThrough(), null);
  await stopped(alone);
  assert.equal((await alone.job('young.bin'))?.data.size, 'some bytes'.length);
  assert.notEqual((await alone.job('held.bin'))?.data.quarantined, undefined, 'its job is of the first file');
  // the young one stands here until an uploader comes, and has its session
  alone.put(join(alone.incoming, 'late.bin'));
  await alone.problem(/^1 file waits in the drop folder, and no session is active; start one with /);
});

test('a stop once through waits for the second file of a name whose first is under way', async (t) => {
  const alone = await ScannerAlone.make(t);
  const app = await alone.start();
  await app.ready();
  const session = await alone.startSession();
  alone.put(join(alone.processing, sessionKey(session), 'same.bin'));
  await alone.enqueue(session, 'same.bin');
  alone.put(join(alone.incoming, 'same.bin'), 'the second one');
  await alone.says('same.bin', /^held: the first file of this name is under way/);
  const stopping = await alone.sessions.stopOnceThrough();
  await until('it is listed', () => alone.sessions.isListed(stopping ?? 0));
  await alone.recoveries(app);
  assert.equal((await alone.sessions.watch())?.stopping, stopping);

  await (await alone.job('same.bin'))?.remove();
  await alone.moves.forget(session, 'same.bin');
  rmSync(join(alone.processing, sessionKey(session), 'same.bin'));
  const job = await alone.jobOf('same.bin');
  assert.equal(job.data.size, 'the second one'.length);
  await stopped(alone);
});
