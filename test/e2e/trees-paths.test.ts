import assert from 'node:assert/strict';
import { existsSync, lstatSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Queue } from 'bullmq';
import { jobId, reasonFileName } from '@app/shared/domain';
import { uploadJob } from '@app/shared/queue';
import { Moves } from '@app/shared/records';
import { Child, test, until, World } from '../support/index.js';
import { openPage } from '../support/browser.js';

const CLI = resolve(__dirname, '../../apps/cli/main.js');

test('a quarantined file in folders is found, retried and shown by its path, in api, command line, board and page', async (t) => {
  const world = await World.make(t, { proxy: true, env: { APP_SCAN_DEPTH: '2', APP_MAX_ATTEMPTS: '1' } });
  const refuse = () =>
    (world.proxy!.rules = [
      {
        match: (request) => request.method === 'PUT' && (request.url ?? '').includes('bad'),
        fault: { kind: 'status', status: 409, code: 'PathConflict' },
      },
    ]);
  const name = 'a b/c%2Fd/bad.bin';
  const address = `/v1/files/${encodeURIComponent(name)}`;
  const base = `http://127.0.0.1:${world.app('api').port}`;
  const state = (wanted: string) =>
    until(`${name} is ${wanted}`, async () => {
      const { body } = await world.api(address);
      if (body.state === wanted) return body;
      throw new Error(JSON.stringify(body));
    });
  refuse();
  const session = await world.startSession('paths');
  const md5 = world.drop(name, 1000);
  const failed = await state('failed');
  assert.equal(failed.filename, name);
  assert.match(failed.hint, /no folder of the container/);
  assert.deepEqual(world.filesIn(world.failed), [
    `${session}/a b/c%2Fd/${reasonFileName('bad.bin')}`,
    `${session}/${name}`,
  ]);
  const job = `${base}/admin/queues/api/queues/upload/${encodeURIComponent(jobId(name))}`;
  assert.equal(((await (await fetch(job)).json()) as any).job.data.filename, name);

  // the same path again is held; another file of its last part is not
  world.drop(name, 2000);
  await state('held');
  rmSync(join(world.incoming, name));
  await state('failed');

  const sluice = async (...args: string[]) => {
    const child = new Child(process.execPath, [CLI, ...args], {
      PATH: process.env.PATH ?? '',
      SLUICE_URL: base,
    });
    const { code } = await child.ended;
    assert.equal(code, 0, child.stderr);
    return child.stdout;
  };
  assert.match(await sluice('files', name), /PathConflict/);
  assert.match(await sluice('retry', name), /1/);
  await until('it failed again', async () => (await world.status()).processed_err === 2);
  await state('failed');

  const { page, complaints } = await openPage(t, '');
  await page.goto(`${base}/admin/queues/queue/upload/${encodeURIComponent(jobId(name))}`);
  await page.getByText('PathConflict').first().waitFor();
  await page.goto(base);
  world.proxy!.pass();
  await page.getByRole('button', { name: `Retry ${name}` }).click();
  await world.done(1);
  await page.getByText('Nothing failed.').waitFor();
  assert.deepEqual(await world.blobs(), new Map([[`${session}/${name}`, md5]]));
  assert.deepEqual(world.filesIn(world.failed), []);
  assert.deepEqual(complaints, []);
  const { url } = await state('done');
  assert.ok(url.endsWith('/a%20b/c%252Fd/bad.bin'), url);
});

test('a file and a folder of one name: the second waits and says so, until the first is through', async (t) => {
  const world = await World.make(t, { proxy: true, env: { APP_SCAN_DEPTH: '2', APP_MAX_ATTEMPTS: '1' } });
  const says = (name: string, sentence: RegExp) =>
    until(`${name}: ${sentence}`, async () => {
      const { body } = await world.api(`/v1/files/${encodeURIComponent(name)}`);
      if (sentence.test(body.why)) return true;
      throw new Error(JSON.stringify(body));
    });
  const session = await world.startSession('one name');
  const md5s = new Map<string, string>();
  const drop = (name: string, size: number) => md5s.set(`${session}/${name}`, world.drop(name, size));
  const allIn = async () =>
    assert.deepEqual(new Map([...(await world.blobs())].sort()), new Map([...md5s].sort()));

  // a file is under way where a folder is needed, and a folder where a file: the scanner holds the second
  world.proxy!.rules = [
    {
      match: ({ method, url }) => method === 'PUT' && (url ?? '').includes('first'),
      fault: { kind: 'stall' },
    },
  ];
  drop('file first', 1000);
  drop('folder first/x', 1000);
  await until('both are claimed', () => {
    const claimed = world.filesIn(world.processing);
    return claimed.includes(`${session}/file first`) && claimed.includes(`${session}/folder first/x`);
  });
  rmSync(join(world.incoming, 'folder first'), { recursive: true, force: true });
  drop('file first/y', 2000);
  drop('folder first', 2000);
  await says('file first/y', /^held: "file first" is not through yet/);
  await says('folder first', /^held: "folder first\/x" is not through yet/);
  world.proxy!.pass();
  await world.done(4, 180_000);
  await allIn();

  // one that is claimed all the same: the uploader waits, and counts nothing
  await world.app('scanner').kill();
  const processing = (name: string) => join(world.processing, session, name);
  mkdirSync(processing('folder'), { recursive: true });
  for (const name of ['file', 'folder/z']) writeFileSync(processing(name), 'of another');
  for (const name of ['file/z', 'folder', 'bad/z']) drop(name, 3000);
  mkdirSync(join(world.failed, session), { recursive: true });
  writeFileSync(join(world.failed, session, 'bad'), 'of another');
  world.proxy!.rules = [
    {
      match: ({ method, url }) => method === 'PUT' && (url ?? '').includes('bad'),
      fault: { kind: 'status', status: 400, code: 'InvalidBlobType' },
    },
  ];
  await enqueue(world, session, ['file/z', 'folder', 'bad/z']);
  await says('file/z', /a file stands where this one needs the folder .*\/file; it waits/);
  await says('folder', /the folder .*\/folder has this file's name and holds others; it waits/);
  await says('bad/z', /could not be quarantined .* a file stands where this one needs the folder/);
  assert.deepEqual(world.filesIn(world.failed), [`${session}/bad`], 'nothing is quarantined');
  for (const name of ['file', 'folder/z']) rmSync(processing(name));
  rmSync(join(world.failed, session, 'bad'));
  await world.done(6, 180_000);
  await until('it has its place', () => existsSync(join(world.failed, session, 'bad/z')));
  md5s.delete(`${session}/bad/z`);
  await allIn();
  assert.equal((await world.status()).processed_err, 1);
});

/** Adds jobs of dropped files as a scanner does. */
async function enqueue(world: World, session: string, names: readonly string[]): Promise<void> {
  const [date_prefix = '', encoded_session = ''] = session.split('/');
  const queue = new Queue('upload', { connection: { url: world.redis.url }, prefix: '{sluice}' });
  await world.redis.use(async (client) => {
    const moves = new Moves(client, '{sluice}');
    for (const filename of names) {
      const { size, mtimeNs, ino } = lstatSync(join(world.incoming, filename), { bigint: true });
      const ref = { datePrefix: date_prefix, encodedSession: encoded_session };
      await moves.queued([{ session: ref, filename, size: Number(size) }], '');
      const payload = { date_prefix, encoded_session, filename, size: Number(size) };
      const { name, data, opts } = uploadJob({ ...payload, mtime_ns: String(mtimeNs), ino: String(ino) });
      await queue.add(name, data, opts);
    }
  });
  await queue.close();
}

test('a folder of the drop folder that is renamed or removed while its files are in hand loses none', async (t) => {
  const world = await World.make(t, { start: ['api', 'scanner'], env: { APP_SCAN_DEPTH: '2' } });
  const session = await world.startSession('moved folders');
  const md5s = new Map<string, string>();
  for (const [name, at] of [
    ['before/a.bin', 'after/a.bin'],
    ['stays/b.bin', 'stays/b.bin'],
  ] as const)
    md5s.set(`${session}/${at}`, world.drop(name, 1000));
  world.drop('removed/c.bin', 1000);
  await until('all are enqueued', async () => (await world.status()).queue.waiting === 3);
  renameSync(join(world.incoming, 'before'), join(world.incoming, 'after'));
  rmSync(join(world.incoming, 'removed'), { recursive: true });
  mkdirSync(join(world.incoming, 'removed'));
  await world.start('uploader');
  await world.done(2);
  assert.deepEqual(new Map([...(await world.blobs())].sort()), new Map([...md5s].sort()));
  await until('nothing is under way', async () => {
    const { waiting, active, delayed, failed } = (await world.status()).queue;
    return waiting + active + delayed + failed === 0;
  });
  assert.equal((await world.status()).processed_err, 0);
  assert.deepEqual(world.filesIn(world.volume), []);
});
