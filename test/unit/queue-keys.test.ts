import assert from 'node:assert/strict';
import { bullmqFault } from '@app/shared/queue';
import { test } from '../support/index.js';

test('the keys of BullMQ that our scripts read are those of the release that is installed, and no other', () => {
  assert.equal(bullmqFault(), null);
  assert.match(
    bullmqFault('6.8.0') ?? '',
    /^this build has BullMQ 6\.8\.0, and our scripts read keys of BullMQ /,
  );
  assert.notEqual(bullmqFault('66.7.0'), null);
});
