import assert from 'node:assert/strict';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test, until } from '../support/index.js';
import { ScannerAlone } from './scanner-alone.js';

test('a second scanner is ready and stands by, and takes over when the first one dies', async (t) => {
  const alone = await ScannerAlone.make(t);
  const first = await alone.start();
  await first.ready();
  await alone.startSession();
  const second = await alone.start();
  await second.ready();
  const standby = async () =>
    (await alone.pods.alive())
      .filter(({ role }) => role === 'scanner')
      .map((pod) => pod.standby)
      .sort();
  await until('one stands by', async () => String(await standby()) === 'false,true');
  assert.equal(await alone.metric(second, 'sluice_scan_examined_files_total'), 0);
  await first.kill();
  alone.put(join(alone.incoming, 'after.bin'));
  await alone.jobOf('after.bin');
  assert.ok((await alone.metric(second, 'sluice_scan_examined_files_total')) > 0);
});

test('a scanner that stops gives the lead away at once, with code 0', async (t) => {
  const alone = await ScannerAlone.make(t);
  const first = await alone.start();
  await first.ready();
  const second = await alone.start();
  await second.ready();
  assert.deepEqual(await first.stop(), { code: 0, signal: null });
  assert.equal(await alone.client.exists('{sluice}:scanner-lease'), 0);
  await until('the second leads', async () => {
    const pods = await alone.pods.alive();
    return pods.length === 1 && pods[0]?.standby === false && pods[0].volume !== null;
  });
});

test('a scanner that slept through its lease enqueues nothing when it wakes', async (t) => {
  const alone = await ScannerAlone.make(t);
  const first = await alone.start();
  await first.ready();
  await alone.startSession();
  const id = (await until('it reports', async () => (await alone.pods.alive())[0])).id;
  first.freeze();
  const second = await alone.start();
  await second.ready();
  await until('the second leads', async () => {
    const holder = await alone.client.get('{sluice}:scanner-lease');
    return holder !== null && holder !== id;
  });
  first.thaw();
  await until('the first stands by', async () =>
    (await alone.pods.alive()).some((pod) => pod.id === id && pod.standby),
  );
  alone.put(join(alone.incoming, 'a.bin'));
  await alone.jobOf('a.bin');
  assert.equal(await alone.metric(first, 'sluice_scan_enqueued_files_total'), 0);
  assert.equal(await alone.metric(second, 'sluice_scan_enqueued_files_total'), 1);
});

test('the gauges of a scanner that no longer leads are gone, from its first moment awake on', async (t) => {
  const alone = await ScannerAlone.make(t);
  const first = await alone.start();
  await first.ready();
  alone.put(join(alone.incoming, 'a.bin'));
  await until('it is counted', async () => (await gaugesOf(first)).includes('sluice_incoming_files'));
  assert.deepEqual(await gaugesOf(first), LEADERS_GAUGES);
  first.freeze();
  const second = await alone.start();
  await second.ready();
  await until('the second leads', async () => (await gaugesOf(second)).length === LEADERS_GAUGES.length);
  // sent while it sleeps: whatever it does first once it wakes, it answers this
  const asked = gaugesOf(first);
  first.thaw();
  assert.deepEqual(await asked, []);
  assert.deepEqual(await gaugesOf(first), []);
  // and what it saw then does not come back with the lead
  await second.kill();
  const seen = await until('the first leads again', async () => {
    const text = await metricsOf(first);
    return /^sluice_incoming_files\{state="seen".*$/m.exec(text)?.[0];
  });
  assert.match(seen, / 1$/);
});

/** What only the leader tells. */
const LEADERS_GAUGES = ['sluice_incoming_files', 'sluice_incoming_oldest_age_seconds', 'sluice_queue_jobs'];

async function metricsOf({ port }: { port: number }): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
}

/** Those of the leader's gauges that a scanner shows. */
async function gaugesOf(app: { port: number }): Promise<string[]> {
  const names = (await metricsOf(app)).split('\n').map((line) => line.split('{')[0] ?? '');
  return LEADERS_GAUGES.filter((name) => names.includes(name));
}

test('missing roots are made, with an id that Redis remembers', async (t) => {
  const alone = await ScannerAlone.make(t);
  const app = await alone.start();
  await app.ready();
  assert.deepEqual(readdirSync(join(alone.folder, 'nfs')).sort(), ['.failed', '.processing', 'incoming']);
  const { id } = JSON.parse(readFileSync(join(alone.processing, '.sluice-volume'), 'utf8')) as { id: string };
  assert.equal(await alone.client.get('{sluice}:volume'), id);
  await until('it reports the id', async () => (await alone.pods.alive())[0]?.volume === id);
  assert.deepEqual(readdirSync(alone.incoming), [], 'the probe is gone');
});

test('an unmounted folder is a problem, never a volume without files; mounted again, all goes on', async (t) => {
  const alone = await ScannerAlone.make(t);
  const app = await alone.start();
  await app.ready();
  await alone.startSession();
  alone.put(join(alone.incoming, 'known.bin'));
  const job = await alone.jobOf('known.bin');
  // what stands under a mount point when the mount is gone
  renameSync(join(alone.folder, 'nfs'), join(alone.folder, 'away'));
  await alone.problem(
    /^the volume is not mounted here|^the shared volume fails: list of incoming failed: ENOENT/,
  );
  for (const root of [alone.incoming, alone.processing, alone.failed]) mkdirSync(root, { recursive: true });
  await alone.problem(
    /^the volume is not mounted here \(or another one is\): .*\.sluice-volume is missing or holds no id/,
  );
  await until('not ready', async () => (await app.probe('/readyz')) === 503);
  assert.equal(await app.probe('/healthz'), 200);
  assert.deepEqual(readdirSync(alone.processing), [], 'nothing is written there');
  assert.equal((await alone.job('known.bin'))?.timestamp, job.timestamp);

  rmSync(join(alone.folder, 'nfs'), { recursive: true });
  renameSync(join(alone.folder, 'away'), join(alone.folder, 'nfs'));
  await app.ready();
  alone.put(join(alone.incoming, 'next.bin'));
  await alone.jobOf('next.bin');
});

test('roots that are missing where Redis knows a volume are not made', async (t) => {
  const alone = await ScannerAlone.make(t);
  await alone.client.set('{sluice}:volume', 'the-known-one');
  const app = await alone.start();
  await alone.problem(
    /^the volume is not mounted here \(or another one is\): .* is missing; mount the volume that Redis knows as the-known-one/,
  );
  assert.equal(await app.probe('/readyz'), 503);
  assert.deepEqual(readdirSync(alone.folder), []);
});

test('another volume is a problem that names both ids and the way out', async (t) => {
  const alone = await ScannerAlone.make(t);
  for (const root of [alone.incoming, alone.processing, alone.failed]) mkdirSync(root, { recursive: true });
  writeFileSync(join(alone.processing, '.sluice-volume'), '{"id":"mine"}');
  await alone.client.set('{sluice}:volume', 'theirs');
  const app = await alone.start();
  const sentence = await alone.problem(/^another volume is mounted here: its id is mine, Redis knows theirs/);
  assert.match(sentence, /redis-cli DEL '\{sluice\}:volume'$/);
  await alone.client.del('{sluice}:volume');
  await app.ready();
});

test('roots on different filesystems end the start with one line that names the variables', async (t) => {
  const alone = await ScannerAlone.make(t);
  const elsewhere = mkdtempSync('/dev/shm/sluice-');
  t.after(() => rmSync(elsewhere, { recursive: true }));
  if (statSync(elsewhere).dev === statSync(alone.folder).dev)
    return t.diagnostic('/dev/shm is no file system of its own here');
  const app = await alone.start({ APP_NFS_FAILED_ROOT: join(elsewhere, '.failed') });
  assert.equal((await app.ended).code, 1);
  assert.match(
    String(app.logs.at(-1)?.msg),
    /^APP_NFS_INCOMING_DIR, APP_NFS_PROCESSING_ROOT and APP_NFS_FAILED_ROOT must be on one filesystem/,
  );
});

test('a root that is no folder ends the start with one line that names the variables', async (t) => {
  const alone = await ScannerAlone.make(t);
  alone.put(join(alone.folder, 'nfs'), 'a file');
  chmodSync(join(alone.folder, 'nfs'), 0o644);
  const app = await alone.start();
  assert.equal((await app.ended).code, 1);
  assert.match(
    String(app.logs.at(-1)?.msg),
    /^APP_NFS_INCOMING_DIR, APP_NFS_PROCESSING_ROOT and APP_NFS_FAILED_ROOT must be/,
  );
});

test('an unreadable session file and a folder in its place stall nothing', async (t) => {
  const alone = await ScannerAlone.make(t);
  mkdirSync(join(alone.processing, '.sluice-session'), { recursive: true });
  const app = await alone.start();
  await alone.startSession();
  alone.put(join(alone.incoming, 'a.bin'));
  await alone.jobOf('a.bin');
  await alone.problem(
    /^the active session could not be kept on the volume, so it would be lost with the data of Redis: /,
  );
  assert.equal(app.alive, true);
});
