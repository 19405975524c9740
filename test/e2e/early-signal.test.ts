import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, freePort, seen, test } from '../support/index.js';

/** How many modules are loaded when the signal comes: after the first one, in between, and after the last. */
const MOMENTS = ['1', '2', '10', '100', '400', 'all'];

/** Sends the process a signal in the very moment in which it has loaded so many modules. */
const PRELOAD = `
const { isMainThread } = require('node:worker_threads');
const Module = require('node:module');
const load = Module._load;
let [loaded, sent] = [0, !isMainThread];
Module._load = function (name, parent, isMain) {
  const result = load.apply(this, arguments);
  if (sent || (++loaded < Number(process.env.TEST_SIGNAL_AT) && !isMain)) return result;
  if (process.env.TEST_SIGNAL_AT === 'all' && !isMain) return result;
  sent = true;
  process.kill(process.pid, process.env.TEST_SIGNAL);
  return result;
};`;

for (const role of ['api', 'scanner', 'uploader'] as const)
  test(`a signal while the ${role} loads ends it with code 0, whatever it has loaded`, async (t) => {
    let kills = 0;
    const folder = mkdtempSync(join(tmpdir(), 'sluice-signal-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const preload = join(folder, 'preload.cjs');
    writeFileSync(preload, PRELOAD);
    const nobody = await freePort();
    for (const moment of MOMENTS)
      for (const signal of moment === '1' ? ['SIGTERM', 'SIGINT'] : ['SIGTERM']) {
        const app = new App(role, await freePort(), {
          NODE_OPTIONS: `--require ${preload}`,
          TEST_SIGNAL: signal,
          TEST_SIGNAL_AT: moment,
          APP_REDIS_URL: `redis://127.0.0.1:${nobody}/0`,
          APP_NFS_INCOMING_DIR: join(folder, 'incoming'),
          APP_NFS_PROCESSING_ROOT: join(folder, '.processing'),
          APP_NFS_FAILED_ROOT: join(folder, '.failed'),
          APP_LOCAL_STAGING_ROOT: join(folder, 'staging'),
          APP_AZURE_ACCOUNT_URL: `http://127.0.0.1:${nobody}/account`,
          APP_AZURE_CONTAINER: 'ingest',
          APP_AZURE_CREDENTIAL: 'account-key',
          APP_AZURE_ACCOUNT_NAME: 'account',
          APP_AZURE_ACCOUNT_KEY: 'a2V5a2V5a2V5',
        });
        t.after(() => app.kill());
        kills += 1;
        assert.deepEqual(
          await app.ended,
          { code: 0, signal: null },
          `${signal} at ${moment}: ${app.stdout}${app.stderr}`,
        );
      }
    seen(t, {
      fault: `a signal while the ${role} loads`,
      injected: 'SIGTERM, SIGINT after the 1st, 2nd, 10th, 100th, 400th, last module',
      promised: 'ends with code 0, nothing begun',
      files: 0,
      kills,
    });
  });
