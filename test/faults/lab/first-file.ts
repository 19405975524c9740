import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { until, World, writeFileOf } from '../../support/index.js';

const { NFS_A = '', NFS_B = '', NFS_EXPORT = '' } = process.env;

/** The shared folders as one pod sees them. */
function seenFrom(mount: string): Record<string, string> {
  return {
    APP_NFS_INCOMING_DIR: join(mount, 'incoming'),
    APP_NFS_PROCESSING_ROOT: join(mount, '.processing'),
    APP_NFS_FAILED_ROOT: join(mount, '.failed'),
  };
}

test('producer on the server, scanner on one mount, uploader on the other', async (t) => {
  const world = await World.make(t, { start: ['api'], volume: NFS_EXPORT });
  await world.start('scanner', seenFrom(NFS_A));
  await world.start('uploader', seenFrom(NFS_B));
  await Promise.all(world.apps.map((app) => app.ready()));
  const session = await world.startSession('over nfs');
  const wanted = new Map<string, string>();
  for (const [name, size] of [
    ['small.txt', 10],
    ['blocks.bin', 20_000_000],
  ] as const)
    wanted.set(`${session}/${name}`, writeFileOf(join(NFS_EXPORT, 'incoming', name), size, size));
  await world.done(wanted.size);
  assert.deepEqual(await world.blobs(), wanted);
  await until('the sources are gone', () => world.filesIn(NFS_EXPORT).length === 0);
});
