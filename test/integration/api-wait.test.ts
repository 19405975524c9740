import assert from 'node:assert/strict';
import type { Redis } from 'ioredis';
import { NO_BATCH } from '@app/shared/records';
import { type Answer, test, until } from '../support/index.js';
import { seeded } from './api-seeded.js';

const session = { datePrefix: '20260131', encodedSession: 'night', name: 'night' };
const PATH = '/v1/sessions/20260131/night';
const FACTS = { blobUrl: 'http://x', size: 5, md5: null, mtimeMs: 1, attempts: 1, pod: 'a', maxFiles: 100 };
const CALLERS = 60;

/** Scripts that Redis ran so far. */
async function scripts(client: Redis): Promise<number> {
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(await client.info('commandstats'))?.[1] ?? 0);
}

test('many callers wait for a session without asking Redis, and all hear of it at once; one that goes is forgotten', async (t) => {
  const { ask, app, client, moves, sessions } = await seeded(t);
  await sessions.start(session, null, { ...NO_BATCH, files: 1 });
  await moves.queued([{ session, filename: 'a.bin', size: 5 }], '');
  await ask(PATH);
  const before = await scripts(client);
  const gone = new AbortController();
  const leaves = ask(`${PATH}?wait=300`, { signal: gone.signal });
  const answers = Array.from({ length: CALLERS }, () => ask(`${PATH}?wait=300`));
  await until('all are heard', async () => (await scripts(client)) >= before + CALLERS + 1);
  gone.abort();
  await assert.rejects(leaves);
  assert.equal((await ask(`${PATH}?wait=1`)).body.complete, false);
  await moves.receipt(session, 'a.bin', 'claim', FACTS);
  for (const answer of await Promise.all(answers))
    assert.deepEqual([answer.status, answer.body.complete, answer.body.state], [200, true, 'active']);
  const calls = (await scripts(client)) - before;
  // a look when it comes, and two when it is answered
  assert.ok(calls < 4 * CALLERS, `${calls} scripts for ${CALLERS} callers`);
  assert.equal(app.alive, true);
});

test('a wait ends when the session is finished, complete or not, and is refused where it is no number of seconds', async (t) => {
  const { ask, client, moves, sessions } = await seeded(t);
  assert.equal((await ask(`${PATH}?wait=1`)).status, 404);
  await sessions.start(session);
  for (const wait of ['301', '-1', '1.5', 'x', ''])
    assert.match((await ask(`${PATH}?wait=${wait}`)).body.detail, /^wait must be a whole number of seconds/);
  await moves.queued([{ session, filename: 'bad.bin', size: 5 }], '');
  const before = await scripts(client);
  const answer = ask(`${PATH}?wait=300`);
  await until('it is heard', async () => (await scripts(client)) > before);
  const reason = { why: 'failed', attempts: 1, code: 'X', count: true };
  await moves.quarantined({ session, filename: 'bad.bin', size: 5 }, reason);
  await sessions.stop();
  const { complete, state, missing, files } = (await answer).body;
  assert.deepEqual([complete, state, missing, files.failed], [false, 'finished', { files: 0, bytes: 0 }, 1]);
});

test('callers that wait when the api stops have what is known, and it ends with 0', async (t) => {
  const { ask, app, client, sessions } = await seeded(t);
  await sessions.start(session);
  const before = await scripts(client);
  const answers = Array.from({ length: 5 }, () => ask(`${PATH}?wait=300`));
  await until('all are heard', async () => (await scripts(client)) >= before + 5);
  const [ended, ...all] = await Promise.all<{ code: number | null } | Answer>([app.stop(), ...answers]);
  assert.equal((ended as { code: number | null }).code, 0);
  for (const answer of all as Answer[]) assert.deepEqual([answer.status, answer.body.state], [200, 'active']);
});
