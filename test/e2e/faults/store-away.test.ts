import assert from 'node:assert/strict';
import { type Fault, pause, seen, test, until, World } from '../../support/index.js';

const MIB = 1024 * 1024;
const AWAY: [string, Fault | 'refuse'][] = [
  ['refuses connections', 'refuse'],
  ['resets connections', { kind: 'reset' }],
  ['throttles with 503 ServerBusy', { kind: 'status', status: 503, code: 'ServerBusy' }],
  ['refuses the credentials with 403', { kind: 'status', status: 403, code: 'AuthenticationFailed' }],
  ['fails with 500', { kind: 'status', status: 500, code: 'InternalError' }],
  ['loses its container', { kind: 'status', status: 404, code: 'ContainerNotFound' }],
];

for (const [what, fault] of AWAY) {
  test(`the store ${what}: uploads pause, nothing is quarantined, all resumes by itself`, async (t) => {
    const world = await World.make(t, { proxy: true, env: { APP_MAX_ATTEMPTS: '3' } });
    const proxy = world.proxy!;
    const session = await world.startSession('outage');
    const first = world.drop('first', 100);
    await world.done(1);
    if (fault === 'refuse') await proxy.refuse();
    else proxy.always(fault);
    const wanted = new Map([[`${session}/first`, first]]);
    for (let i = 0; i < 6; i++)
      wanted.set(`${session}/file ${i}`, world.drop(`file ${i}`, i % 2 ? 9 * MIB : 1000 + i));
    const problems = await until('problems say it', async () => {
      const { problems: sentences, last_error: error } = await world.status();
      return error !== null && sentences.some((sentence: string) => sentence.includes('store is away'))
        ? sentences
        : null;
    });
    assert.equal(problems.length, 1, JSON.stringify(problems));
    // long enough for more tries than there are attempts
    await pause(8_000);
    assert.equal((await world.status()).processed_err, 0);
    if (fault === 'refuse') await proxy.listen();
    else proxy.pass();
    await world.done(7, 60_000);
    assert.deepEqual(await world.blobs(), wanted);
    const status = await world.status();
    assert.equal(status.processed_err, 0);
    assert.equal(status.queue.failed, 0);
    await until('the problem is gone', async () => (await world.status()).problems.length === 0);
    seen(t, {
      fault: `the store ${what}`,
      injected: 'a proxy before the store, for 8 s and more',
      promised: 'uploads pause, nothing is counted or quarantined, all resumes by itself',
      files: 7,
    });
  });
}
