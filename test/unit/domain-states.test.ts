import assert from 'node:assert/strict';
import { FILE_STATES, TRANSITIONS } from '@app/shared/domain';
import { test } from '../support/index.js';

/** Everything that `from` can become, through any number of moves. */
function reachable(from: string): Set<string> {
  const found = new Set<string>([from]);
  for (const place of found) for (const move of TRANSITIONS) if (move.from === place) found.add(move.to);
  return found;
}

test('a dropped file can come into every state', () => {
  const found = reachable('dropped');
  for (const state of FILE_STATES) assert.ok(found.has(state), state);
});

test('only done is final: from every other state a file can go on', () => {
  for (const state of FILE_STATES)
    assert.equal(
      TRANSITIONS.some((move) => move.from === state),
      state !== 'done',
      state,
    );
});

test('every state but done and ignored still leads to done', () => {
  for (const state of FILE_STATES.filter((name) => name !== 'ignored'))
    assert.ok(reachable(state).has('done'), state);
});

test('nothing is done or failed without an uploader, but for what recovery finds', () => {
  for (const { from, to, by } of TRANSITIONS) {
    if (to === 'done') assert.equal(by, 'uploader');
    if (to === 'failed' && from !== 'dropped') assert.equal(by, 'uploader');
    if (from === 'failed') assert.equal(by, 'operator');
  }
});

test('no move stands twice, and each says when', () => {
  const moves = TRANSITIONS.map(({ from, to }) => `${from} ${to}`);
  assert.equal(new Set(moves).size, moves.length);
  for (const { when } of TRANSITIONS) assert.ok(when.length > 5);
});
