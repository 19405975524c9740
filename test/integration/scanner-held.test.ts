import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { jobId, sessionKey } from '@app/shared/domain';
import { test, until } from '../support/index.js';
import { ScannerAlone, SESSION } from './scanner-alone.js';

test('a name that is dropped again while the first file is under way is held, then taken', async (t) => {
  const alone = await ScannerAlone.make(t);
  const app = await alone.start();
  await app.ready();
  const session = await alone.startSession();
  alone.put(join(alone.incoming, 'twice.bin'), 'first');
  await alone.jobOf('twice.bin');
  const folder = join(alone.processing, sessionKey(session));
  mkdirSync(folder, { recursive: true });
  renameSync(join(alone.incoming, 'twice.bin'), join(folder, 'twice.bin'));
  alone.put(join(alone.incoming, 'twice.bin'), 'the second');
  await alone.says('twice.bin', /^held: the first file of this name is under way$/);
  await until('the view counts it', async () => (await alone.incomingView.view())?.held === 1);
  assert.equal((await alone.job('twice.bin'))?.data.size, 5);

  // the first is through: its source goes, its job ends
  rmSync(join(folder, 'twice.bin'));
  await (await alone.job('twice.bin'))?.remove();
  const second = await alone.jobOf('twice.bin');
  assert.equal(second.data.size, 10);
});

test('a name that stands in quarantine is held until that file is removed by hand', async (t) => {
  const alone = await ScannerAlone.make(t);
  const quarantined = join(alone.failed, sessionKey(SESSION), 'bad.bin');
  alone.put(quarantined);
  const app = await alone.start();
  await app.ready();
  await alone.startSession('another');
  alone.put(join(alone.incoming, 'bad.bin'), 'better');
  await alone.says('bad.bin', /^held: a file of this name is quarantined; retry it or remove it$/);
  const job = await alone.jobOf('bad.bin');
  assert.equal(job.data.encoded_session, SESSION.encodedSession);
  assert.equal(job.data.quarantined?.code, 'Unknown');

  await job.remove();
  rmSync(quarantined);
  await until(
    'the new one is taken',
    async () => (await alone.job('bad.bin'))?.data.encoded_session === 'another',
  );
});

test('held names do not fill the window', async (t) => {
  const alone = await ScannerAlone.make(t, { APP_MAX_QUEUE_SIZE: '4' });
  for (let i = 0; i < 20; i++) {
    alone.put(join(alone.processing, sessionKey(SESSION), `a-${i}`));
    alone.put(join(alone.incoming, `a-${i}`));
  }
  alone.put(join(alone.incoming, 'b-free'));
  const app = await alone.start();
  await app.ready();
  await alone.startSession();
  await until('20 are held', async () => (await alone.incomingView.view())?.held === 20);
  // the claimed ones are through, but for two, whose names go on being held
  for (let i = 0; i < 18; i++) {
    rmSync(join(alone.processing, sessionKey(SESSION), `a-${i}`));
    rmSync(join(alone.incoming, `a-${i}`));
    await alone.queue.remove(jobId(`a-${i}`));
  }
  await alone.jobOf('b-free');
  await alone.says('a-18', /^held/);
});

test('a scanner that starts anew knows what is with the queue already', async (t) => {
  const alone = await ScannerAlone.make(t);
  const first = await alone.start();
  await first.ready();
  await alone.startSession();
  alone.put(join(alone.incoming, 'queued.bin'));
  const job = await alone.jobOf('queued.bin');
  await first.kill();
  await alone.client.del('{sluice}:scanner-lease');
  const second = await alone.start();
  await second.ready();
  await alone.recoveries(second);
  const view = await alone.incomingView.view();
  assert.equal(view?.held, 0);
  assert.equal(view?.seen, 1);
  assert.equal(await alone.incomingView.entry('queued.bin'), null);
  assert.equal((await alone.job('queued.bin'))?.timestamp, job.timestamp);
});

test('a completed job that is kept does not make a later file of its name vanish', async (t) => {
  const alone = await ScannerAlone.make(t);
  const app = await alone.start();
  await app.ready();
  const session = await alone.startSession();
  await alone.enqueue(session, 'again.bin');
  const worker = alone.work(async () => 'done');
  await until(
    'it is complete',
    async () => (await (await alone.job('again.bin'))?.getState()) === 'completed',
  );
  await worker.close();
  const before = (await alone.job('again.bin'))?.timestamp;
  alone.put(join(alone.incoming, 'again.bin'));
  await until('it is taken again', async () => {
    const job = await alone.job('again.bin');
    return job && job.timestamp !== before && (await job.getState()) === 'waiting';
  });
});

test('a job that Redis lost is made anew while its file waits', async (t) => {
  const alone = await ScannerAlone.make(t);
  const app = await alone.start();
  await app.ready();
  await alone.startSession();
  alone.put(join(alone.incoming, 'lost.bin'));
  const before = await alone.jobOf('lost.bin');
  await before.remove();
  await until('a new job', async () => {
    const job = await alone.job('lost.bin');
    return job !== undefined && job.timestamp !== before.timestamp;
  });
});
