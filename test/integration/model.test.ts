import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { check_spec_with_cfg, initSync } from 'tla-checker';
import { test } from '../support/index.js';

const FOLDER = resolve(__dirname, '../../../docs/model');
const SPEC = readFileSync(join(FOLDER, 'Move.tla'), 'utf8');
const CONFIG = readFileSync(join(FOLDER, 'Move.cfg'), 'utf8');
const STATES_MAX = 1_000_000;
const DEPTH_MAX = 500;
const INVARIANTS = ['NothingLost', 'NothingOlder', 'CountedOnce', 'CountedStored'];

initSync({ module: readFileSync(join(dirname(require.resolve('tla-checker')), 'tla_checker_bg.wasm')) });

/** What the checker answers, as far as it is read here. */
interface Answer {
  readonly success: boolean;
  readonly error_type: string | null;
  readonly error_message: string | null;
  readonly states_explored: number;
  readonly trace: readonly string[] | null;
}

function check(config: string): Answer {
  return JSON.parse(check_spec_with_cfg(SPEC, config, '{}', STATES_MAX, DEPTH_MAX, true, false)) as Answer;
}

test('the model of claim, lock, fence, receipt and removal loses nothing and counts once, whatever happens when', (t) => {
  const answer = check(CONFIG);
  assert.equal(answer.error_message, null);
  assert.ok(answer.success && answer.states_explored > 10_000, `${answer.states_explored} states`);
  t.diagnostic(`${answer.states_explored} states`);
});

for (const [constant, without, invariant] of [
  ['LookBefore', 'a look before the removal', 'NothingLost'],
  ['IfMatch', 'If-Match on a write over a blob', 'NothingOlder'],
  ['CheckLock', 'asking whose the lock is', 'NothingOlder'],
  ['CountOnce', 'a receipt that is looked for before it is counted', 'CountedOnce'],
  ['EndOwnReceipt', 'leaving the receipt to the run that took the source over', 'CountedOnce'],
] as const)
  test(`without ${without} the model breaks, so the check can fail`, () => {
    const broken = CONFIG.replace(`${constant} = TRUE`, `${constant} = FALSE`);
    assert.notEqual(broken, CONFIG);
    const answer = check(broken);
    assert.equal(answer.error_type, 'InvariantViolation');
    assert.equal(answer.error_message, `Invariant ${INVARIANTS.indexOf(invariant)} violated`);
    assert.ok((answer.trace?.length ?? 0) > 0);
  });
