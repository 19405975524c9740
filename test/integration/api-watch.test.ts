import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import fc from 'fast-check';
import type { Answer } from '../support/index.js';
import { test } from '../support/index.js';
import { apiAlone } from './api-alone.js';

const UUID_V7 = /^00-session-[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const today = () => new Date().toISOString().slice(0, 10).replaceAll('-', '');

/** Whether an answer is a problem document of this status; its detail. */
function problem(answer: Answer, status: number): string {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/);
  assert.equal(answer.body.status, status);
  assert.equal(typeof answer.body.title, 'string');
  assert.doesNotMatch(answer.text, /node_modules|at \w+ \(/);
  return answer.body.detail as string;
}

test('a session starts, is switched, stops, and is the same one when its name comes again', async (t) => {
  const api = await apiAlone(t);
  const first = await api.post('/v1/watch/start', { session_name: 'my session' });
  assert.equal(first.status, 200);
  assert.deepEqual(first.body, {
    date_prefix: today(),
    session_name: 'my session',
    encoded_session: 'my%20session',
    replaced: null,
  });
  let status = (await api.ask('/v1/status')).body;
  assert.equal(status.enabled, true);
  assert.equal(status.active_session, 'my session');
  assert.equal(status.processed_ok, 0);
  assert.equal(status.processed_err, 0);
  assert.equal(status.last_error, null);
  assert.deepEqual(status.queue, { waiting: 0, active: 0, delayed: 0, failed: 0 });
  assert.equal(status.incoming, null);

  assert.equal(status.stopping, false);

  const again = await api.post('/v1/watch/start', { session_name: 'my session' });
  assert.equal(again.body.replaced, null, 'the same session takes the place of none');
  const other = await api.post('/v1/watch/start', { session_name: 'other' });
  assert.deepEqual(other.body.replaced, {
    date_prefix: today(),
    session_name: 'my session',
    encoded_session: 'my%20session',
  });
  assert.match(
    problem(await api.post('/v1/watch/stop', { drain: 'yes' }), 400),
    /^drain must be true or false$/,
  );
  const stopped = await api.post('/v1/watch/stop');
  assert.deepEqual([stopped.status, stopped.body], [200, { enabled: false }]);
  status = (await api.ask('/v1/status')).body;
  assert.deepEqual([status.enabled, status.active_session], [false, null]);
  assert.deepEqual((await api.post('/v1/watch/stop')).body, { enabled: false });

  await api.post('/v1/watch/start', { session_name: 'my session' });
  const { body } = await api.ask('/v1/sessions');
  assert.deepEqual(
    body.items.map((item: { session_name: string; state: string }) => [item.session_name, item.state]),
    [
      ['other', 'finished'],
      ['my session', 'active'],
    ],
  );
});

test('no name, null and blank give a sortable session of their own', async (t) => {
  const api = await apiAlone(t);
  const names: string[] = [];
  for (const body of [
    undefined,
    {},
    { session_name: null },
    { session_name: '' },
    { session_name: ' \t\u3000' },
  ]) {
    const { status, body: answer } = await api.post('/v1/watch/start', body);
    assert.equal(status, 200);
    assert.match(answer.session_name, UUID_V7);
    assert.equal(answer.encoded_session, answer.session_name);
    names.push(answer.session_name);
  }
  assert.equal(new Set(names).size, names.length);
  assert.deepEqual([...names].sort(), names);
});

test('bodies that say something else than they mean are refused, each with its reason', async (t) => {
  const api = await apiAlone(t);
  const send = (body: string, type = 'application/json') =>
    api.ask('/v1/watch/start', { method: 'POST', headers: { 'content-type': type }, body });
  for (const body of ['[]', 'null', '"x"', '5', 'true', '[{"session_name":"x"}]'])
    assert.match(problem(await send(body), 400), /must be a JSON object/);
  for (const body of ['{', '{"session_name":', 'session_name=x', '\u0000'])
    assert.match(problem(await send(body), 400), /not valid JSON/);
  for (const name of ['sessionName', 'b', '__proto__', 'constructor', 'toString', 'length'])
    assert.ok(problem(await send(`{"${name}":"x"}`), 400).includes(name));
  for (const value of ['5', 'true', '["x"]', '{"a":1}'])
    assert.match(problem(await send(`{"session_name":${value}}`), 400), /session_name must be a text/);
  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    'application/jsonx',
  ])
    assert.match(problem(await send('{"session_name":"x"}', type), 415), /application\/json/);
  problem(await send('{"session_name":"x"}', 'application/json; charset=latin1'), 415);
  assert.match(problem(await send(`{"session_name":"${'x'.repeat(17_000)}"}`), 413), /larger than/);
  problem(await send('y'.repeat(3_000_000)), 413);
  problem(await api.ask('/v1/nothing/here'), 404);
  problem(await api.ask('/v1/files/%zz'), 400);
  assert.equal((await api.ask('/v1/status')).body.enabled, false);
  assert.deepEqual((await api.ask('/v1/sessions')).body, { items: [], next_cursor: null });
});

test('any name at all is encoded as the contract says, or refused with a sentence', async (t) => {
  const api = await apiAlone(t);
  const hostile = fc.oneof(
    fc.constantFrom(
      '.',
      '..',
      'a/b',
      '../../etc',
      'a.',
      '%41',
      "!*'()",
      'ü',
      '日本',
      '😀',
      'x'.repeat(201),
      'é'.repeat(34),
    ),
    fc.constantFrom(
      'a\u0000b',
      'a\nb',
      '\u007f',
      'a\ud800',
      '\udc00',
      '.sluice-volume',
      ' padded ',
      'A+B=C&D',
    ),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 70 }),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
  );
  await fc.assert(
    fc.asyncProperty(hostile, async (name) => {
      const answer = await api.post('/v1/watch/start', { session_name: name });
      const wanted = encoded(name);
      if (name.trim() === '') assert.match(answer.body.session_name, UUID_V7);
      else if (wanted === null) assert.match(problem(answer, 400), /session_name/);
      else {
        const { replaced, ...started } = answer.body;
        assert.deepEqual(
          [answer.status, started],
          [200, { date_prefix: today(), session_name: name, encoded_session: wanted }],
        );
        assert.ok(replaced === null || typeof replaced.session_name === 'string');
      }
    }),
    { numRuns: 300 },
  );
});

/** Section 3 of the contract, written another way than the program does. */
function encoded(name: string): string | null {
  if (!name.isWellFormed() || /\p{Cc}/u.test(name) || name.startsWith('.sluice')) return null;
  if (name === '.') return '%2E';
  if (name === '..') return '%2E%2E';
  const text = encodeURIComponent(name)
    .replace(/[!*'()]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replace(/\.$/, '%2E');
  return text.length > 200 ? null : text;
}

test('the day of a session is that of Redis, whatever the clock of the api says', async (t) => {
  const api = await apiAlone(t, {
    NODE_OPTIONS: `--require ${resolve(__dirname, '../support/shifted-clock.js')}`,
    TEST_CLOCK_SHIFT_MS: String(3 * 24 * 3600_000),
  });
  const { body } = await api.post('/v1/watch/start', { session_name: 's' });
  assert.equal(body.date_prefix, today());
});

test('a query parameter that a call does not know is refused by its name', async (t) => {
  const api = await apiAlone(t);
  for (const [path, known] of [
    ['/v1/files?sesion=20260131/s', 'it takes state, session, limit, cursor'],
    ['/v1/files?state=done&limit=5&offset=3', 'it takes state, session, limit, cursor'],
    ['/v1/files/a.bin?x', 'it takes session'],
    ['/v1/sessions?state=active', 'it takes limit, cursor'],
    ['/v1/sessions/20260131/s?all', 'it takes wait'],
    ['/v1/status?verbose=1', 'it takes none'],
  ] as const) {
    const detail = problem(await api.ask(path), 400);
    const name = /[?&](sesion|offset|x|state=active|all|verbose)/.exec(path)?.[1]?.split('=')[0] ?? '';
    assert.ok(detail.includes(` ${name} is not known`), detail);
    for (const one of known.replace('it takes ', '').split(', ')) assert.ok(detail.includes(one), detail);
  }
  assert.equal((await api.ask('/v1/files?state=done&limit=5')).status, 200);
  assert.equal((await api.ask('/healthz?probe')).status, 200);
  assert.equal((await api.ask('/docs-json')).status, 200);
});

test('labels of a session: what Azure would refuse is named, the same call changes them, and none is said keeps them', async (t) => {
  const api = await apiAlone(t);
  const start = (labels?: unknown) => api.post('/v1/watch/start', { session_name: 'labelled', labels });
  const labels = async () => (await api.ask(`/v1/sessions/${today()}/labelled`)).body.labels as unknown;
  for (const [given, named] of [
    [[], /labels must be an object/],
    ['x', /labels must be an object/],
    [{ tier: 'hot' }, /labels.tier must be one of Hot/],
    [{ colour: 'red' }, /labels has no "colour"/],
    [{ tags: { 'a&b': '1' } }, /labels.tags has a character in "a&b=1"/],
    [{ metadata: { sha256: '1' } }, /labels.metadata has "sha256", which Sluice writes itself/],
    [{ encryption_scope: '-' }, /labels.encryption_scope is "-"/],
  ] as const)
    assert.match(problem(await start(given), 400), named);
  assert.equal((await api.ask('/v1/status')).body.enabled, false, 'a call that is refused starts nothing');

  assert.equal((await start()).status, 200);
  assert.equal(await labels(), null);
  const given = { tier: 'Cool', tags: { a: '1' }, metadata: { b: '2' }, encryption_scope: 'one' };
  assert.equal((await start(given)).status, 200);
  assert.deepEqual(await labels(), given);
  assert.equal((await start(null)).status, 200);
  assert.deepEqual(await labels(), given);
  assert.equal((await start({ tags: { c: '3' } })).status, 200);
  assert.deepEqual(await labels(), { tags: { c: '3' } }, 'the newest take the place of all before');
  assert.equal((await start({})).status, 200);
  assert.equal(await labels(), null);
});
