import assert from 'node:assert/strict';
import test from 'node:test';
import { readEvents } from '@app/shared/records';

test('a message of the channel is an event or several, and what is none is left out', () => {
  const [a, b] = ['a', 'b'].map((filename) => ({ type: 'file', session: '20260131/s', filename }));
  assert.deepEqual(readEvents(JSON.stringify(a)), [a]);
  assert.deepEqual(readEvents(JSON.stringify({ events: [a, b] })), [a, b]);
  assert.deepEqual(readEvents(JSON.stringify({ events: [a, 'x', null, [b], { ...b, type: 'other' }] })), [a]);
  for (const text of ['hello', '', 'null', '5', '[]', '{}', '{"events":5}', '{"type":"file"}'])
    assert.deepEqual(readEvents(text), []);
});
