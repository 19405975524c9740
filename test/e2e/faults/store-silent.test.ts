import assert from 'node:assert/strict';
import { seen, test, until, World } from '../../support/index.js';

test('a store that says nothing is said while a file waits for it, and the file goes on once it speaks', async (t) => {
  const world = await World.make(t, { proxy: true });
  const key = await world.startSession();
  world.proxy!.rules = [
    {
      match: ({ method, url }) => method === 'PUT' && /silent\.bin/.test(url ?? ''),
      fault: { kind: 'hold' },
    },
  ];
  const md5 = world.drop('silent.bin', 1_000_000);
  const said =
    /: no byte has moved for [3-9]\d s: 1 file waits for the store, the first is "silent\.bin" \(uploading\)$/;
  await until(
    'the silence is said',
    async () => {
      const { problems } = await world.status();
      if (problems.some((problem: string) => said.test(problem))) return true;
      throw new Error(problems.join('; '));
    },
    120_000,
  );
  world.proxy!.rules = [];
  await world.done(1);
  await until('nothing is said any more', async () => (await world.status()).problems.length === 0);
  assert.deepEqual(await world.blobs(), new Map([[`${key}/silent.bin`, md5]]));
  seen(t, {
    fault: 'the store takes a request and says nothing more',
    injected: 'a proxy that holds every PUT of one file',
    promised: 'said after 30 s, with the file and whom it waits for; it goes on once the store speaks',
    files: 1,
  });
});
