import assert from 'node:assert/strict';
import { alsoShown, readWalk, wasShown, type Shown } from '../../apps/api/files/walk.js';
import { test } from '../support/index.js';

/** What Node takes as the head of a request, less what else stands in one; bytes. */
const ADDRESS_MAX = 12 * 1024;

test('a cursor fits into an address, however long the names of the walk are', () => {
  for (const [beginning, count] of [
    ['a', 40],
    ['文'.repeat(1_000), 3],
    ['x'.repeat(1_000), 40],
  ] as const) {
    let shown: readonly Shown[] = [];
    let cursor: string | null = null;
    const names = Array.from({ length: count }, (_, i) => `${beginning}${String(i).padStart(3, '0')}`);
    for (const [i, name] of names.entries()) {
      const walk = readWalk(cursor ?? undefined, beginning);
      shown = alsoShown(walk.shown, name, 10 * (i + 1));
      cursor = walk.cursorOfWaiting(name, shown);
      assert.ok(cursor.length < ADDRESS_MAX, `${cursor.length} characters after ${i + 1} pages`);
    }
    const after = readWalk(cursor ?? undefined, beginning);
    assert.deepEqual(after.shown, shown);
    // whatever is forgotten of the pages: a file that was shown is never shown again
    for (const [i, filename] of names.entries())
      assert.ok(wasShown(after.shown, { filename, id: 10 * (i + 1) + 1 }), filename);
    // and what comes later in the order was not
    assert.ok(!wasShown(after.shown, { filename: `${beginning}999`, id: 9_999 }));
  }
});
