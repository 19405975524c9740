import assert from 'node:assert/strict';
import { lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { Volume } from '@app/shared/files';
import { openUploadQueue, uploadJob } from '@app/shared/queue';
import { seen, test, type TestContext, until, World } from '../support/index.js';
import { strangeVolume } from './lab/strange-volume.js';

const COMPOSED = 'Caf\u00e9.bin';

/** Two files whose names the volume takes for one, by what tells them apart. */
const PAIRS = {
  'the case': ['Report.bin', 'report.bin'],
  'the Unicode form': [COMPOSED, COMPOSED.normalize('NFD')],
} as const;

/** A system on a volume that folds names, whose store refuses one file. */
async function refusing(t: TestContext, name: string, attempts: number) {
  const volume = await strangeVolume(t, '--fold');
  const world = await World.make(t, { volume, proxy: true, env: { APP_MAX_ATTEMPTS: String(attempts) } });
  const session = await world.startSession('folds');
  world.proxy!.rules = [
    {
      match: ({ url }) => decodeURIComponent(url ?? '').includes(`/${name}`),
      fault: { kind: 'status', status: 500, code: 'InternalError' },
    },
  ];
  return { volume, world, session };
}

/** Waits until the api says one of some states of a file. @returns which */
function stateOf(world: World, name: string, ...wanted: string[]): Promise<string> {
  return until(`${name} is ${wanted.join(' or ')}`, async () => {
    const { text, body } = await world.api(`/v1/files/${encodeURIComponent(name)}`);
    if (wanted.includes(body?.state)) return body.state as string;
    throw new Error(text);
  });
}

async function allStored(world: World, wanted: Map<string, string>, errors: number): Promise<void> {
  await world.done(wanted.size);
  assert.deepEqual(await world.blobs(), wanted);
  const { processed_ok, processed_err } = await world.status();
  assert.deepEqual({ processed_ok, processed_err }, { processed_ok: wanted.size, processed_err: errors });
  await until('nothing is left', () => world.filesIn(world.volume).length === 0);
}

for (const [kind, [first, second]] of Object.entries(PAIRS))
  test(`a volume that folds names: of two files that differ in ${kind} alone both are stored, under their own names`, async (t) => {
    const { world, session } = await refusing(t, first, 100);
    const wanted = new Map([[`${session}/${first}`, world.drop(first, 100_000, 1)]]);
    await until('the first is claimed', () => readdirSync(join(world.processing, session)).includes(first));
    await until('its job waits', async () => (await world.status()).queue.delayed === 1);
    wanted.set(`${session}/${second}`, world.drop(second, 70_000, 2));
    const state = await stateOf(world, second, 'held', 'done');
    world.proxy!.pass();
    await allStored(world, wanted, 0);
    assert.equal(state, 'held');
    assert.match(world.app('scanner').stdout, /does not tell names apart by case and Unicode form/);
    seen(t, {
      fault: `the volume folds names, in ${kind}`,
      injected: 'a FUSE mount that looks names up folded',
      promised: 'the second of two such names is held, both are stored under their own names',
      files: 2,
    });
  });

test('a volume that folds names: a job that nobody held waits, and takes no bytes of the other file', async (t) => {
  const { world, session } = await refusing(t, 'Report.bin', 100);
  const wanted = new Map([[`${session}/Report.bin`, world.drop('Report.bin', 100_000, 1)]]);
  await until('its job waits', async () => (await world.status()).queue.delayed === 1);
  await world.app('scanner').kill();
  wanted.set(`${session}/report.bin`, world.drop('report.bin', 70_000, 2));
  const { ino, size, mtimeNs } = lstatSync(join(world.incoming, 'report.bin'), { bigint: true });
  const client = new Redis(world.redis.url, { maxRetriesPerRequest: null });
  const queue = openUploadQueue(client, '{sluice}', () => undefined);
  t.after(async () => {
    await queue.close();
    client.disconnect();
  });
  const [date_prefix = '', encoded_session = ''] = session.split('/');
  const file = { ino: String(ino), size: Number(size), mtime_ns: String(mtimeNs) };
  const job = uploadJob({ date_prefix, encoded_session, filename: 'report.bin', ...file });
  await queue.add(job.name, job.data, job.opts);
  const why = await until('something is decided of the second', async () => {
    const { text, body } = await world.api('/v1/files/report.bin');
    if (body?.state === 'done' || body?.state === 'delayed') return body.why as string;
    throw new Error(text);
  });
  world.proxy!.pass();
  await allStored(world, wanted, 0);
  assert.match(why, /^delayed: this volume takes the name "report.bin" for that of another file/);
});

test('a volume that folds names: the namesake of a quarantined file is held until that one is through', async (t) => {
  const { world, session } = await refusing(t, 'Report.bin', 1);
  const wanted = new Map([[`${session}/Report.bin`, world.drop('Report.bin', 100_000, 1)]]);
  await stateOf(world, 'Report.bin', 'failed');
  wanted.set(`${session}/report.bin`, world.drop('report.bin', 70_000, 2));
  const state = await stateOf(world, 'report.bin', 'held', 'done');
  world.proxy!.pass();
  assert.equal((await world.api('/v1/files/retry', { filenames: ['Report.bin'] })).body.retried, 1);
  await allStored(world, wanted, 1);
  assert.equal(state, 'held');
});

test('a namesake is told from a file of the very name, and never replaced', async (t) => {
  const folder = await strangeVolume(t, '--fold');
  const volume = new Volume();
  t.after(() => volume.stop());
  const [upper, lower, other] = ['Name', 'name', 'other'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(upper, 'upper');
  writeFileSync(other, 'other');
  assert.equal(await volume.renameToFree(other, lower), 'namesake');
  assert.equal(await volume.renameToFree(other, upper), 'taken');
  assert.equal(readFileSync(upper, 'utf8'), 'upper');
  const look = await volume.lookExactly(upper, null);
  assert.ok(look !== null && look !== 'namesake');
  assert.equal(await volume.lookExactly(lower, null), 'namesake');
  assert.deepEqual(await volume.lookExactly(lower, look.ino), look);
  assert.equal(await volume.lookExactly(join(folder, 'none'), look.ino), null);
});
