import assert from 'node:assert/strict';
import { test, until, World } from '../support/index.js';

const MIB = 2 ** 20;

test('a file that is half in the store counts in its session, and says its step', async (t) => {
  const env = { APP_AZURE_MAX_BLOCK_SIZE: `${MIB}`, APP_AZURE_MAX_SINGLE_PUT_SIZE: `${MIB}` };
  const world = await World.make(t, { proxy: true, env });
  const key = await world.startSession('nightly');
  let blocks = 0;
  world.proxy!.rules = [
    {
      match: ({ url }) => /half\.bin\?.*comp=block&/.test(url ?? '') && ++blocks > 5,
      fault: { kind: 'hold' },
    },
  ];
  world.drop('half.bin', 10 * MIB);
  const session = async () => (await world.api(`/v1/sessions/${key}`)).body;
  await until('five blocks are in the store', async () => (await session()).bytes.in_flight === 5 * MIB);
  const { bytes } = await session();
  assert.deepEqual(bytes, { done: 0, in_flight: 5 * MIB, total: 10 * MIB });
  const { body } = await world.api('/v1/files/half.bin');
  assert.deepEqual([body.step, body.progress], ['uploading', { bytes: 5 * MIB, percent: 50 }]);
  assert.equal(body.steps.staging, 10 * MIB);
});
