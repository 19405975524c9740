import assert from 'node:assert/strict';
import { isBefore, isPlace, readEvents, readTold } from '@app/shared/records';
import { test } from '../support/index.js';

test('a message of the channel is an event or several, and what is none is left out', () => {
  const [a, b] = ['a', 'b'].map((filename) => ({ type: 'file', session: '20260131/s', filename }));
  assert.deepEqual(readEvents(JSON.stringify(a)), [a]);
  assert.deepEqual(readEvents(JSON.stringify({ events: [a, b] })), [a, b]);
  assert.deepEqual(readEvents(JSON.stringify({ events: [a, 'x', null, [b], { ...b, type: 'other' }] })), [a]);
  for (const text of ['hello', '', 'null', '5', '[]', '{}', '{"events":5}', '{"type":"file"}'])
    assert.deepEqual(readEvents(text), []);
});

test('a message may say its place, and places have an order', () => {
  const a = { type: 'file', session: null, filename: 'a' };
  assert.deepEqual(readTold(JSON.stringify({ id: '5-1', ...a })), { place: '5-1', events: [a] });
  assert.deepEqual(readTold(JSON.stringify({ id: 'x\nid: 5-1', events: [a] })), { place: null, events: [a] });
  assert.deepEqual(readTold('nonsense'), { place: null, events: [] });
  assert.deepEqual(
    ['0-0', '1769817600000-12', '5', '5-', '-1-1', '5-1.2', `5-${'1'.repeat(30)}`].filter(isPlace),
    ['0-0', '1769817600000-12'],
  );
  const ordered = ['0-0', '9-0', '9-2', '9-10', '10-0'];
  for (const [i, one] of ordered.entries())
    for (const [j, other] of ordered.entries()) assert.equal(isBefore(one, other), i < j, `${one} ${other}`);
});
