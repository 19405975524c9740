import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Layout } from '@app/shared/domain';
import { findRestless, Volume } from '@app/shared/files';
import { seen, test, type TestContext, until, World } from '../support/index.js';
import { strangeVolume } from './lab/strange-volume.js';

/** Volumes that never let a claimed file rest, by the option of the mount. */
const VOLUMES = {
  '--new-inodes': {
    changed: 'inode',
    fault: 'a file has a new inode at each rename',
    atStart: /this volume changes the inode of a file that is only renamed or looked at/,
  },
  '--moving-ctimes=/.processing/2': {
    changed: 'change time',
    fault: 'the change time of a claimed file keeps moving',
    atStart: null,
  },
};

for (const [option, { changed, fault, atStart }] of Object.entries(VOLUMES))
  test(`${fault}: it is stored, stays, and is named with what changed; once that ends it goes`, async (t) => {
    const volume = await strangeVolume(t, option);
    const world = await World.make(t, { volume });
    const session = await world.startSession('restless');
    const names = ['small.bin', 'large.bin'];
    const md5s = names.map((name, i) => world.drop(name, i === 0 ? 1000 : 9_000_000));
    const wanted = new Map(names.map((name, i) => [`${session}/${name}`, md5s[i] ?? '']));
    for (const name of names)
      await until(`${name} is named`, async () => {
        const { problems } = await world.status();
        const { body } = await world.api(`/v1/files/${name}`);
        const path = join(world.processing, session, name);
        const [sentence] = problems.filter((problem: string) => problem.includes(path));
        if (!sentence) throw new Error(JSON.stringify({ problems, why: body?.why }));
        assert.match(
          sentence,
          new RegExp(`changed while it was in hand, \\d+ times in a row, last its ${changed};`),
        );
        if (body.state === 'delayed' && /\d+ times in a row/.test(body.why)) return true;
        throw new Error(body.why);
      });
    if (atStart) assert.ok((await world.status()).problems.some((problem: string) => atStart.test(problem)));
    const { processed_ok, processed_err } = await world.status();
    assert.deepEqual({ processed_ok, processed_err }, { processed_ok: 0, processed_err: 0 });
    assert.deepEqual(await world.blobs(), new Map([...wanted].sort()));

    writeFileSync(join(dirname(volume), 'let-go'), '');
    await world.done(names.length);
    assert.deepEqual(await world.blobs(), new Map([...wanted].sort()));
    await until('nothing is left', () => world.filesIn(world.volume).length === 0);
    assert.equal((await world.status()).processed_ok, names.length);
    await until('no file is named any more', async () => {
      const { problems } = await world.status();
      return !problems.some((problem: string) => problem.includes('in hand'));
    });
    seen(t, {
      fault,
      injected: `a FUSE mount (${option.split('=')[0]})`,
      promised: 'stored, never removed unproved, named in problems; goes on once that ends',
      files: names.length,
    });
  });

for (const [options, found, refusal] of [
  [[], [], null],
  [['--new-inodes'], ['inode'], 'a rename changes the inode of a file'],
  [['--moving-ctimes='], ['change time'], 'the change time of a file changes although nobody touches it'],
  [['--name-max=39'], [], 'the volume takes names of at most 39 bytes; Sluice needs 40'],
] as const)
  test(`what keeps changing is found by a probe, and refused by the canary: ${options.join() || 'a plain volume'}`, async (t) => {
    const mounted = await strangeVolume(t, ...options);
    assert.deepEqual(await probed(t, mounted), found);
    const { code, said } = await canary(mounted);
    assert.equal(code, refusal === null ? 0 : 1, said);
    if (refusal !== null) assert.ok(said.includes(refusal), said);
    else assert.match(said, /longest name of a file +255 bytes/);
  });

async function probed(t: TestContext, folder: string): Promise<string[]> {
  const volume = new Volume();
  t.after(() => volume.stop());
  const roots = { incoming: folder, processing: join(folder, '.p'), failed: join(folder, '.f') };
  for (const root of Object.values(roots)) await volume.makeFolder(root);
  return findRestless(volume, new Layout(roots).roots);
}

/** Runs the storage canary with all of its pods on this machine. */
function canary(folder: string): Promise<{ code: number; said: string }> {
  const cli = resolve(__dirname, '../../apps/cli/main.js');
  return new Promise((end) => {
    const child = execFile(
      process.execPath,
      [cli, 'canary', '--size=1Mi', '--wait=60', folder],
      (error, stdout, stderr) => end({ code: Number(error?.code ?? 0), said: stdout + stderr }),
    );
    child.stdin?.end();
  });
}
