import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { hintOf, OTHERWISE, REMEDIES } from '@app/shared/domain';
import { test } from '../support/index.js';

const RUNBOOK = readFileSync(resolve(__dirname, '../../docs/operate.md'), 'utf8');
/** The rows of the runbook's table of codes: codes, and what to do. */
const ROWS = (RUNBOOK.split(/^\| code .*$/m)[1] ?? '')
  .split('\n\n')[0]!
  .split('\n')
  .slice(2)
  .map((row) => row.split('|').map((cell) => cell.trim()))
  .map(([, codes = '', text = '']) => ({
    codes: [...codes.split(' and others')[0]!.matchAll(/`(\w+)`/g)].map(([, code]) => code ?? ''),
    text: text.replaceAll('`', ''),
  }));

test('the runbook and the api tell the same remedy for each code', () => {
  assert.ok(ROWS.length > 8);
  assert.deepEqual(
    ROWS.map(({ codes }) => codes),
    [...REMEDIES.map(({ codes }) => codes), []],
  );
  for (const [i, { text }] of ROWS.entries()) {
    const hint = REMEDIES[i]?.hint ?? OTHERWISE;
    assert.ok(text.includes(hint), `the runbook says "${text}", the api "${hint}"`);
    assert.match(hint, /^[A-Z][^.]*(?:\.processing[^.]*)?\.$/, 'one sentence');
  }
});

test('a code has its remedy, also one of a family, and an unknown one has one too', () => {
  assert.equal(hintOf('LeaseIdMissing'), 'Have the lease on the blob released, then retry.');
  assert.equal(hintOf('LeaseNotPresentWithBlobOperation'), hintOf('LeaseIdMissing'));
  for (const code of ['InvalidInput', null]) assert.equal(hintOf(code), OTHERWISE);
});
