import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, until, World } from '../support/index.js';

/** Mounts something, and notes what is to be unmounted again before its folder goes. */
function mount(mounted: string[], target: string, ...args: string[]): void {
  mkdirSync(target, { recursive: true });
  execFileSync('mount', [...args, target]);
  mounted.push(target);
}

test('a folder that is mounted below itself ends nowhere, and what lies on another file system is left alone', async (t) => {
  const mounted: string[] = [];
  t.after(() => {
    for (const target of mounted.toReversed()) execFileSync('umount', [target]);
  });
  const world = await World.make(t, { env: { APP_SCAN_DEPTH: '16' } });
  const says = async (name: string, sentence: RegExp) => {
    await until(`${name} is ignored`, async () => {
      const { text, body } = await world.api(`/v1/files/${encodeURIComponent(name)}`);
      if (body?.state === 'ignored' && sentence.test(body.why)) return true;
      throw new Error(text);
    });
  };
  const { incoming } = world;
  mkdirSync(join(incoming, 'a/b'), { recursive: true });
  mount(mounted, join(incoming, 'a/b/loop'), '--bind', join(incoming, 'a'));
  mount(mounted, join(incoming, 'c/whole'), '--bind', incoming);
  mount(mounted, join(incoming, 'other'), '-t', 'tmpfs', 'tmpfs');
  writeFileSync(join(incoming, 'other/x.bin'), 'never to be renamed from here');
  writeFileSync(join(incoming, 'a/b/x.bin'), 'some bytes');
  await world.startSession('mounts');
  await says('a/b/loop', /the same folder as one above it/);
  await says('c/whole', /the same folder as one above it/);
  await says('other', /on another file system/);
  await until('the file is done', async () => (await world.status()).processed_ok === 1);
  const { items } = (await world.api('/v1/files')).body;
  assert.deepEqual(items.map(({ filename }: { filename: string }) => filename).sort(), [
    'a/b/loop',
    'a/b/x.bin',
    'c/whole',
    'other',
  ]);
});
