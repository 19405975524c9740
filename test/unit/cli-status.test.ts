import assert from 'node:assert/strict';
import { statusLines } from '../../apps/cli/commands/status.js';
import { test } from '../support/index.js';

const POD = {
  name: 'scanner-0',
  version: '1',
  ready: false,
  standby: false,
  in_hand: 0,
  disk: { volume: null, staging: null },
};

test('a drop folder that is not known: no scanner lives, or one that ends no scan', () => {
  const status = {
    enabled: true,
    active_session: null,
    processed_ok: 0,
    processed_err: 0,
    last_error: null,
    queue: { waiting: 0, active: 0, delayed: 0, failed: 0 },
    incoming: null,
    problems: [],
  };
  const said = (roles: string[]) =>
    statusLines({ ...status, pods: roles.map((role) => ({ ...POD, role })) }, false).join('\n');
  assert.match(said(['uploader']), /Incoming +not known: no live scanner/);
  assert.match(said(['uploader', 'scanner']), /Incoming +not known: no scan has ended lately/);
});
