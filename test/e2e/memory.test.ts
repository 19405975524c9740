import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test, World } from '../support/index.js';

const MIB = 1024 * 1024;
/** What the image tells every process of Node. */
const [, NODE_OPTIONS = ''] =
  /^ENV NODE_OPTIONS=(\S+)$/m.exec(readFileSync(resolve(__dirname, '../../../Dockerfile'), 'utf8')) ?? [];

test('1 GiB moves through an uploader whose memory stays under 256 MiB at default settings', async (t) => {
  const world = await World.make(t, { env: { NODE_OPTIONS } });
  const session = await world.startSession('large');
  const md5 = world.drop('1 GiB.bin', 1024 * MIB);
  await world.done(1, 240_000);
  const peak = world.app('uploader').peakRssBytes();
  t.diagnostic(`peak ${Math.round(peak / MIB)} MiB`);
  assert.ok(peak < 256 * MIB, `${Math.round(peak / MIB)} MiB`);
  assert.deepEqual(await world.blobs(), new Map([[`${session}/1 GiB.bin`, md5]]));
});
