import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ACCOUNT, test, until, World } from '../support/index.js';

const TOKEN = 'the-token-of-this-test';
const PASSWORD = 'p@ss/of:this test';
const SECRETS = [ACCOUNT.key, encodeURIComponent(ACCOUNT.key), TOKEN, PASSWORD, encodeURIComponent(PASSWORD)];
/** What a request is signed with. */
const SIGNED = /SharedKey \w+:|[?&]sig=\w/;

test('no secret reaches a log, an answer, Redis or the volume, whatever fails', async (t) => {
  const world = await World.make(t, {
    proxy: true,
    start: [],
    env: { APP_LOG_LEVEL: 'debug', APP_MAX_ATTEMPTS: '2', APP_API_TOKEN: TOKEN },
  });
  const letIn = () =>
    world.redis.use((client) =>
      client.call('ACL', 'SETUSER', 'sluice', 'on', `>${PASSWORD}`, '~*', '&*', '+@all'),
    );
  await letIn();
  const redis = `redis://sluice:${encodeURIComponent(PASSWORD)}@127.0.0.1:${world.redis.port}/0`;
  const endpoint = `http://127.0.0.1:${world.proxy!.port}/${ACCOUNT.name}`;
  const api = await world.start('api', { APP_REDIS_URL: redis });
  await world.start('scanner', { APP_REDIS_URL: redis });
  await world.start('uploader', { APP_REDIS_URL: redis });
  await world.start('uploader', {
    APP_REDIS_URL: redis,
    APP_AZURE_CREDENTIAL: 'connection-string',
    APP_AZURE_ACCOUNT_KEY: '',
    APP_AZURE_CONNECTION_STRING: `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT.name};AccountKey=${ACCOUNT.key};BlobEndpoint=${endpoint};`,
  });
  await Promise.all(world.apps.map((app) => app.ready()));
  const answers: string[] = [];
  const ask = async (path: string, method = 'GET', token = TOKEN) => {
    const answer = await fetch(`http://127.0.0.1:${api.port}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}` },
    });
    answers.push(await answer.text());
    return answer.status === 200 ? JSON.parse(answers.at(-1) ?? '') : null;
  };

  world.proxy!.always({ kind: 'reset' });
  await ask('/v1/watch/start', 'POST');
  for (let i = 0; i < 4; i++) world.drop(`file-${i}.bin`, 6_000_000 + i);
  const away = (why: RegExp) =>
    until(`the store is away: ${why}`, async () => {
      const { problems } = await ask('/v1/status');
      return problems.some((problem: string) => /store is away/.test(problem) && why.test(problem));
    });
  await away(/ECONNRESET|socket hang up/);
  world.proxy!.always({ kind: 'status', status: 403, code: 'AuthenticationFailed' });
  await away(/403/);
  world.proxy!.rules = [
    {
      match: ({ method, url }) => method === 'PUT' && /file-0/.test(url ?? ''),
      fault: { kind: 'status', status: 400, code: 'InvalidInput' },
    },
  ];
  const settled = (ok: number) =>
    until(`${ok} are done`, async () => {
      const status = await ask('/v1/status');
      return status?.processed_ok === ok && status.queue.failed === 1;
    });
  await settled(3);

  // it comes back without the user: every process is refused until he is made again
  await world.redis.kill();
  await world.redis.start();
  await until('they are refused', () =>
    world.apps.every((app) => /WRONGPASS|NOAUTH/.test(app.stdout + app.stderr)),
  );
  await letIn();
  await ask('/v1/status', 'GET', `${TOKEN.slice(1)}`);
  await until(
    'the quarantined file is shown again',
    async () => (await ask('/v1/status'))?.queue.failed === 1,
  );
  for (const path of ['/v1/files', '/v1/files/file-0.bin', '/v1/sessions', '/openapi.json']) await ask(path);
  await ask('/admin/queues/api/queues?activeQueue=upload&status=failed&page=1&jobsPerPage=10');

  const kept = await world.redis.use(async (client) => {
    await client.config('SET', 'rdbcompression', 'no');
    await client.save();
    const [, folder = ''] = await client.config('GET', 'dir');
    return readFileSync(join(folder, 'dump.rdb'), 'latin1');
  });
  assert.match(kept, /file-0\.bin/);
  const places = new Map([
    ['the answers of the api', answers.join('\n')],
    ['Redis', kept],
    ...world.apps.map((app): [string, string] => [`the log of ${app.role}`, app.stdout + app.stderr]),
    ...world
      .filesIn(world.volume)
      .map((name): [string, string] => [name, readFileSync(join(world.volume, name), 'latin1')]),
  ]);
  assert.ok([...places.keys()].some((name) => name.endsWith('.error.json')));
  for (const [place, text] of places) {
    for (const secret of SECRETS) assert.ok(!text.includes(secret), `${place} holds ${secret}`);
    assert.doesNotMatch(text, SIGNED, place);
  }
});
