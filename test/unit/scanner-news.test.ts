import assert from 'node:assert/strict';
import type { IncomingEntry } from '@app/shared/records';
import { News } from '../../apps/scanner/news.js';
import { test } from '../support/index.js';

const entry = (state: IncomingEntry['state'], why: string = state): IncomingEntry => ({
  ...{ state, why, since: 0, size: 5 },
});

test('a name is told as dropped once, then each change of its state, and anew after it was queued', () => {
  const news = new News();
  const told = (entries: Record<string, IncomingEntry>, queued: string[] = []) => {
    const events = news.of(new Map(Object.entries(entries)), queued);
    news.remember(events);
    return events.map(({ filename, state }) => `${filename as string} ${state as string}`);
  };
  assert.deepEqual(told({ a: entry('settling'), b: entry('ignored') }), [
    ...['a dropped', 'a settling', 'b dropped', 'b ignored'],
  ]);
  assert.deepEqual(told({ a: entry('settling', 'another reason'), b: entry('ignored') }), []);
  assert.deepEqual(told({}), [], 'a scan that looks elsewhere');
  assert.deepEqual(told({ a: entry('settling') }), [], 'and back again');
  assert.deepEqual(told({}, ['a']), []);
  assert.deepEqual(told({ a: entry('held') }, ['a']), ['a dropped', 'a held']);
  assert.deepEqual(told({ a: entry('settling') }), ['a settling']);
  const [dropped] = news.of(new Map([['c', entry('settling', 'why it waits')]]), []);
  assert.deepEqual(dropped, {
    ...{ type: 'file', filename: 'c', session: null, size: 5, state: 'dropped' },
    why: 'seen in the drop folder for the first time',
  });
  assert.equal(news.of(new Map([['c', entry('settling')]]), []).length, 2, 'what was not told is told again');
});

test('it remembers so many names and no more', () => {
  const news = new News();
  const many = new Map(Array.from({ length: 20_001 }, (_, i) => [`f${i}`, entry('settling')] as const));
  news.remember(news.of(many, []));
  assert.deepEqual(
    news.of(many, []).map(({ filename, state }) => `${filename as string} ${state as string}`),
    ['f0 dropped', 'f0 settling'],
  );
});
