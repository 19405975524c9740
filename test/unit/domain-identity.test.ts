import assert from 'node:assert/strict';
import { differences, keepsChanging } from '@app/shared/domain';
import { test } from '../support/index.js';

const LOOK = { ino: 7n, size: 10, mtimeNs: 1n, ctimeNs: 1n };

test('two looks differ in what both of them tell', () => {
  assert.deepEqual(differences(LOOK, { ...LOOK }), []);
  assert.deepEqual(differences(LOOK, { ino: 8n, size: 11, mtimeNs: 2n, ctimeNs: 2n }), [
    'size',
    'modification time',
    'change time',
    'inode',
  ]);
  assert.deepEqual(differences(LOOK, { size: 11 }), ['size']);
  assert.deepEqual(differences({ size: 10 }, { ...LOOK, ino: 8n }), []);
});

test('what changes from look to look keeps changing; what changed once was a cache that learned', () => {
  const moved = { ...LOOK, ctimeNs: 2n };
  assert.deepEqual(keepsChanging(LOOK, moved, { ...LOOK, ctimeNs: 3n }), ['change time']);
  assert.deepEqual(keepsChanging(LOOK, moved, moved), []);
  assert.deepEqual(keepsChanging(LOOK, LOOK, moved), []);
  assert.deepEqual(keepsChanging(LOOK, { ...LOOK, ino: 8n }, { ...LOOK, ino: 9n }), ['inode']);
});
