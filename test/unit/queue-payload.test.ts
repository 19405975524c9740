import assert from 'node:assert/strict';
import { jobId } from '@app/shared/domain';
import { readPayload } from '@app/shared/queue';
import { test } from '../support/index.js';

test('what was seen of a file that settles comes back from its job, with the clock that it was noted by', () => {
  const observation = { size: 3, mtime_ns: '1700000000500000000', ctime_ns: '1700000000600000000', since: 5 };
  const read = (seen: unknown) => {
    const data = { date_prefix: '20260131', encoded_session: 's', filename: 'a.bin', observation: seen };
    const payload = readPayload(jobId('a.bin'), data);
    if (typeof payload === 'string') throw new Error(payload);
    return payload.observation;
  };
  const expected = { size: 3, mtimeNs: 1700000000500000000n, ctimeNs: 1700000000600000000n, since: 5 };
  assert.deepEqual(read({ ...observation, since_of: 'volume' }), { ...expected, sinceOf: 'volume' });
  assert.deepEqual(read({ ...observation, since_of: 7 }), expected, 'people can edit a job');
  assert.deepEqual(read(observation), expected, 'an older release noted no clock');
});
