import assert from 'node:assert/strict';
import { unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { seen, test, type TestContext, until, World } from '../support/index.js';
import { strangeVolume } from './lab/strange-volume.js';

const NAMES = ['keep-small.bin', `keep-${'n'.repeat(230)}.bin`, 'keep-large.bin'];

/** Files whose sources may be renamed and not removed, and one that may. */
async function refusing(t: TestContext) {
  const volume = await strangeVolume(t, '--keep', 'keep-');
  const world = await World.make(t, { volume, env: { APP_MAX_ATTEMPTS: '2' } });
  const session = await world.startSession('worm');
  const wanted = new Map<string, string>();
  for (const [i, name] of ['free.bin', ...NAMES].entries())
    wanted.set(`${session}/${name}`, world.drop(name, i === 3 ? 3_000_000 : 1000 + i, i));
  await until('each was tried more often than a fault of its own may be', async () => {
    const { problems } = await world.status();
    const { body } = await world.api('/v1/files?state=delayed');
    for (const name of NAMES) {
      const source = join(world.processing, session, name);
      const sentence = `stored; the source ${source} cannot be removed`;
      const file = body.items.find(({ filename }: { filename: string }) => filename === name);
      if (!file?.why.includes(sentence) || !problems.some((problem: string) => problem.includes(sentence)))
        throw new Error(JSON.stringify({ problems, files: body.items }));
    }
    const tries = world.app('uploader').stdout.split('cannot be removed (unlink: EPERM)').length - 1;
    return tries >= 4 * NAMES.length;
  });
  assert.deepEqual(await world.blobs(), new Map([...wanted].sort()));
  await counted(world);
  const { body } = await world.api(`/v1/sessions/${session.replace('%', '%25')}`);
  assert.deepEqual(
    { delayed: body.files.delayed, done: body.files.done, failed: body.files.failed },
    { delayed: 3, done: 1, failed: 0 },
  );
  return { world, session, wanted, letGo: () => writeFileSync(join(volume, '../let-go'), '') };
}

/** Every file once, whatever became of its source. */
async function counted(world: World): Promise<void> {
  const { processed_ok, processed_err } = await world.status();
  assert.deepEqual({ processed_ok, processed_err }, { processed_ok: NAMES.length + 1, processed_err: 0 });
}

async function allDone(world: World, session: string): Promise<void> {
  await until('all are done', async () => {
    const { body } = await world.api(`/v1/sessions/${session}`);
    if (body.files.done === NAMES.length + 1 && body.files.delayed === 0) return true;
    throw new Error(JSON.stringify(body));
  });
  await counted(world);
  const { body } = await world.api(`/v1/sessions/${session}`);
  assert.equal(body.bytes.done, body.bytes.total);
  assert.equal(body.bytes.total, 1000 + 1001 + 1002 + 3_000_000);
  await until('nothing is left', () => world.filesIn(world.volume).length === 0);
}

test('a source that may be renamed and not removed: stored, counted once, tried until it may', async (t) => {
  const { world, session, letGo } = await refusing(t);
  await world.app('uploader').kill();
  await world.start('uploader');
  letGo();
  await allDone(world, session);
  seen(t, {
    fault: 'the source of a stored file cannot be removed',
    injected: 'a FUSE mount that allows the rename and refuses the unlink',
    promised: 'counted once, never quarantined, said with its path, removed once it may be',
    files: NAMES.length + 1,
  });
});

test('a source that Sluice may not remove is removed by hand: the file is done, and counted once', async (t) => {
  const { world, session, letGo } = await refusing(t);
  await world.app('uploader').stop();
  letGo();
  for (const name of NAMES) unlinkSync(join(world.processing, session, name));
  await world.start('uploader');
  await allDone(world, session);
});
