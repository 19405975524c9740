import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import type { Answer } from '../support/index.js';
import { test } from '../support/index.js';
import { apiAlone } from './api-alone.js';

const PATHS = [
  ['POST', '/v1/watch/start'],
  ['POST', '/v1/watch/stop'],
  ['POST', '/v1/files/retry'],
  ['PUT', '/admin/queues/api/queues/upload/concurrency'],
  ['POST', '/admin/queues/api/queues/upload/add'],
] as const;
const nested = (depth: number, inside = '') => '['.repeat(depth) + inside + ']'.repeat(depth);
const deepObjects = (depth: number) => '{"a":'.repeat(depth) + '1' + '}'.repeat(depth);
const manyKeys = (count: number) =>
  `{${Array.from({ length: count }, (_, i) => `"unknown${i}":1`).join(',')}}`;

/** Bodies that do harm where they are parsed and walked, with what the answer says. */
const HOSTILE: readonly [string, string | Buffer, RegExp][] = [
  ['lists in lists', nested(2_000), /nested deeper/],
  ['lists in a property', `{"filenames":${nested(2_000)}}`, /nested deeper/],
  ['objects in objects', deepObjects(2_000), /nested deeper/],
  ['what never closes', '{"session_name":' + '['.repeat(4_000), /nested deeper/],
  ['many properties', manyKeys(900), /more than 100 properties/],
  ['properties of many objects', `[${'{"a":1},'.repeat(1_000)}{}]`, /more than 100 properties/],
  ['a property twice', '{"session_name":"a","session_name":"b"}', /twice/],
  ['a property twice, written in two ways', '{"session_name":"a","session\\u005fname":"b"}', /twice/],
  ['a prototype', '{"__proto__":{"session_name":"x"}}', /"__proto__" should not exist/],
  ['a constructor', '{"constructor":{"prototype":{"x":1}}}', /"constructor" should not exist/],
  ['other bytes', Buffer.from('{"session_name":"\xff\xfe"}', 'latin1'), /UTF-8/],
];

test('bodies made to do harm are refused by their shape, before anything is made of them', async (t) => {
  const { app, ask } = await apiAlone(t);
  const send = (method: string, path: string, body: string | Buffer, more: Record<string, string> = {}) =>
    ask(path, { method, headers: { 'content-type': 'application/json', ...more }, body });
  for (const [method, path] of PATHS) {
    for (const [what, body, reason] of HOSTILE) {
      const answer = await send(method, path, body);
      assert.equal(answer.status, 400, `${path}, ${what}: ${answer.text}`);
      assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/);
      assert.match(answer.body.detail, reason, `${path}, ${what}`);
    }
    // what is small on the way and large once it is unpacked
    const bomb = gzipSync(`{"session_name":"${' '.repeat(20_000_000)}"}`);
    assert.equal((await send(method, path, bomb, { 'content-encoding': 'gzip' })).status, 413, path);
    assert.equal((await send(method, path, 'no gzip', { 'content-encoding': 'gzip' })).status, 400, path);
    assert.equal((await send(method, path, '{}', { 'content-encoding': 'lzma' })).status, 415, path);
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/json; charset=utf-16le',
    ])
      assert.equal(
        (await send(method, path, '{"a":1}', { 'content-type': type })).status,
        415,
        `${path} ${type}`,
      );
  }
  assert.equal((await send('POST', '/v1/watch/start', ' '.repeat(17_000) + '{}')).status, 413);
  assert.equal(
    (await send('PUT', '/admin/queues/api/queues/upload/rate-limit', ' '.repeat(17_000))).status,
    413,
  );
  assert.match(
    (await send('POST', '/v1/files/retry', manyKeys(80_000).slice(0, 848_000))).body.detail,
    /100 properties/,
  );
  for (const items of ['[],', '{},', '"",', '1,'])
    assert.match(
      (await send('POST', '/v1/files/retry', `{"filenames":[${items.repeat(250_000)}1]}`)).body.detail,
      /more than 10200 values/,
    );
  for (const value of [
    '1e999999',
    '9'.repeat(10_000),
    `0.${'0'.repeat(10_000)}1`,
    `-${'1'.repeat(9_000)}e-9999`,
  ])
    assert.match(
      (await send('POST', '/v1/watch/start', `{"session_name":${value}}`)).body.detail,
      /session_name must be a text/,
    );
  const named = await send('POST', '/v1/watch/start', '{"name":"x"}');
  assert.equal(
    named.body.detail,
    'property "name" should not exist; this call takes end_marker, expect, labels, session_name',
  );
  assert.equal((await ask('/v1/status')).body.enabled, false);
  assert.equal(app.logs.filter(({ level }) => level === 'error' || level === 50).length, 0);

  // what is meant well passes, compressed too
  const packed = gzipSync('{"session_name":"packed [{\\"a\\": 1}]"}');
  const started = await send('POST', '/v1/watch/start', packed, { 'content-encoding': 'gzip' });
  assert.equal(started.body.session_name, 'packed [{"a": 1}]');
  const names = Array.from({ length: 10_000 }, (_, i) => `file-${i}-${'x'.repeat(60)}, [{":`);
  assert.deepEqual((await send('POST', '/v1/files/retry', JSON.stringify({ filenames: names }))).body, {
    retried: 0,
  });
});

/** Processor time that a process has used, in seconds. */
async function processorTime(ask: (path: string) => Promise<Answer>): Promise<number> {
  const { text } = await ask('/metrics');
  return Number(/^process_cpu_seconds_total(?:\{.*\})? (\S+)$/m.exec(text)?.[1]);
}

test('twenty large hostile bodies at once take a fraction of what one took: probes do not wait for them', async (t) => {
  const { ask } = await apiAlone(t);
  const body = manyKeys(40_000);
  const headers = { 'content-type': 'application/json' };
  const before = await processorTime(ask);
  const answers = Array.from({ length: 20 }, () => ask('/v1/files/retry', { method: 'POST', headers, body }));
  assert.equal((await ask('/healthz')).status, 200);
  for (const answer of answers) assert.equal((await answer).status, 400);
  const used = (await processorTime(ask)) - before;
  assert.ok(used < 2, `${used} s of the processor, for 20 bodies of ${body.length} bytes`);
});
