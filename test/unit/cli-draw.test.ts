import assert from 'node:assert/strict';
import fc from 'fast-check';
import { draw } from '../../apps/cli/draw.js';
import { Flights, rateOf, secondsLeft } from '../../apps/cli/flights.js';
import { cut, escaped, fitted, formatSeconds, jsonLine, table, widthOf } from '../../apps/cli/print.js';
import { test } from '../support/index.js';

// eslint-disable-next-line no-control-regex
const RAW = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;

test('a picture never leaves its screen and holds nothing raw, whatever names and sizes there are', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({ name: fc.string({ unit: 'binary' }), size: fc.maxSafeNat(), bytes: fc.maxSafeNat() }),
      ),
      fc.array(fc.string({ unit: 'binary' }), { maxLength: 6 }),
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 60 }),
      (files, problems, columns, rows) => {
        const flights = new Flights();
        for (const [at, { name, size, bytes }] of files.entries())
          for (const done of [0, Math.min(size, bytes)])
            flights.take(
              { type: 'progress', filename: name, session: 's', size, bytes: done },
              1000 * at + done,
            );
        const picture = {
          session: null,
          flights: flights.list(),
          done: 1,
          failed: 2,
          problems,
          lost: 'gone',
        };
        const lines = draw(picture, { columns, rows, colour: false }, 1000 * files.length);
        assert.ok(lines.length <= rows);
        for (const line of lines) {
          assert.ok(widthOf(line) <= columns, line);
          assert.doesNotMatch(line, RAW);
        }
      },
    ),
  );
});

test('rate and time left come from the last ten seconds, and begin anew with an attempt', () => {
  const flights = new Flights();
  const tell = (bytes: number, now: number) =>
    flights.take({ type: 'progress', filename: 'f', session: 's', size: 1000, bytes }, now);
  tell(0, 0);
  const flight = tell(100, 1000);
  assert.ok(flight);
  assert.equal(rateOf(flight, 1000), 100);
  assert.equal(secondsLeft(flight, 100), 9);
  assert.equal(rateOf(flight, 12_000), null, 'nothing was heard for ten seconds');
  tell(50, 13_000);
  tell(250, 15_000);
  assert.equal(rateOf(flight, 15_000), 100);
  assert.equal(secondsLeft(flight, 0), null);
});

test('files begin, end and are counted; what the api no longer names is in flight no longer', () => {
  const flights = new Flights();
  const say = (filename: string, state: string) =>
    flights.take({ type: 'file', filename, session: '20260131/s', state }, 0);
  for (const name of ['a', 'b', 'c', 'd']) say(name, 'active');
  say('a', 'done');
  say('b', 'failed');
  assert.deepEqual(
    flights.list().map(({ filename }) => filename),
    ['c', 'd'],
  );
  assert.deepEqual([flights.done, flights.failed], [1, 1]);
  const session = { date_prefix: '20260131', encoded_session: 's' };
  const answer = { state: 'active', why: '', attempts: 0, url: null, md5: null, uploader: null };
  flights.seed([{ ...answer, filename: 'd', session, size: 10, progress: { bytes: 5, percent: 50 } }], 0);
  assert.deepEqual(
    flights.list().map(({ filename, bytes }) => [filename, bytes]),
    [['d', 5]],
  );
  assert.equal(flights.take({ type: 'session', session: 'x', state: 'finished' }, 0), null);
});

test('texts are escaped without a doubt, and JSON keeps its value', () => {
  assert.equal(escaped('a\u001b[1m\\n\u{d}'), 'a\\u{1b}[1m\\\\n\\u{d}');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
      assert.doesNotMatch(escaped(a), RAW);
      assert.equal(escaped(a) === escaped(b), a === b);
      assert.doesNotMatch(jsonLine({ a }), RAW);
      assert.deepEqual(JSON.parse(jsonLine({ a })), { a });
    }),
  );
});

test('columns are counted as a terminal shows them', () => {
  assert.equal(widthOf('abc'), 3);
  assert.equal(widthOf('名前'), 4);
  assert.equal(widthOf('e\u0301'), 1);
  assert.equal(cut('名前です', 5), '名前…');
  assert.equal(fitted('名前です', 6), '名前… ');
  assert.equal(fitted('ab', 4), 'ab  ');
  assert.deepEqual(
    table(
      ['A', 'N'],
      [
        ['名', 1],
        ['x', 22],
      ],
    ),
    ['A   N', '名   1', 'x   22'],
  );
  assert.deepEqual([0, 59.4, 61, 3661, 90_000].map(formatSeconds), [
    '0 s',
    '59 s',
    '1 min 1 s',
    '1 h 1 min',
    '1 d 1 h',
  ]);
});
