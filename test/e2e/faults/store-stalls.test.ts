import assert from 'node:assert/strict';
import { pause, seen, test, until, World } from '../../support/index.js';

const MIB = 1024 * 1024;

test('the store does not answer for 45 s with three attempts a file: nothing is quarantined, all drains within 60 s', async (t) => {
  const world = await World.make(t, { proxy: true, env: { APP_MAX_ATTEMPTS: '3' } });
  const proxy = world.proxy!;
  const session = await world.startSession('silence');
  proxy.always({ kind: 'stall' });
  const wanted = new Map<string, string>();
  for (let i = 0; i < 8; i++)
    wanted.set(`${session}/file ${i}`, world.drop(`file ${i}`, i % 2 ? 9 * MIB : 1000 + i));
  await until('they are under way', async () => (await world.status()).queue.active > 0);
  await pause(45_000);
  assert.equal((await world.status()).processed_err, 0);
  proxy.pass();
  const began = Date.now();
  await world.done(8, 60_000);
  const goesOnAfterS = (Date.now() - began) / 1000;
  assert.deepEqual(await world.blobs(), wanted);
  assert.equal((await world.status()).processed_err, 0);
  seen(t, {
    fault: 'the store does not answer for 45 s',
    injected: 'a proxy before the store that accepts and stays silent',
    promised: 'nothing is counted or quarantined, drained within 60 s of its end',
    files: 8,
    goesOnAfterS,
  });
});
