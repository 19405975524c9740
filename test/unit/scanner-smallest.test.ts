import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Smallest } from '../../apps/scanner/smallest.js';
import { test } from '../support/index.js';

test('the window keeps the smallest names, whatever their order and number', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string()), fc.nat({ max: 20 }), (names, room) => {
      const window = new Smallest(room);
      for (const name of names) window.offer(name);
      const sorted = [...names].sort((a, b) => (a < b ? -1 : 1));
      assert.deepEqual(window.sorted(), sorted.slice(0, room));
      assert.equal(window.passed, Math.max(0, names.length - room));
    }),
  );
});
