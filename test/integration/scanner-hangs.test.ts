import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { test, until } from '../support/index.js';
import { ScannerAlone } from './scanner-alone.js';

test('a file operation that hangs makes the scanner unhealthy, never silent, and ends by itself', async (t) => {
  const alone = await ScannerAlone.make(t, { APP_NFS_HANG_LIMIT_S: '1' });
  const app = await alone.start();
  await app.ready();
  await alone.startSession();
  // opening a FIFO hangs in the kernel until somebody writes, as a call on a hard NFS mount does
  const file = join(alone.processing, '.sluice-volume');
  renameSync(file, `${file}-away`);
  execFileSync('mkfifo', [file]);
  const answer = await until('unhealthy', async () => {
    const healthz = await fetch(`http://127.0.0.1:${app.port}/healthz`);
    return healthz.status === 503 ? healthz.text() : null;
  });
  assert.match(answer, /a file operation hangs for \d+ s, over APP_NFS_HANG_LIMIT_S/);
  // the heartbeat goes on: the list of the living forgets who is silent for 12 s
  await alone.client.del('{sluice}:pods');
  await until('it reports', async () => (await alone.pods.alive()).length === 1);
  assert.equal(await alone.client.exists('{sluice}:scanner-lease'), 1);

  closeSync(openSync(file, constants.O_WRONLY | constants.O_NONBLOCK));
  renameSync(`${file}-away`, file);
  await until('healthy', async () => (await app.probe('/healthz')) === 200);
  alone.put(join(alone.incoming, 'after.bin'));
  await alone.jobOf('after.bin');
  assert.deepEqual(await app.stop(), { code: 0, signal: null });
});
