import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Volume, VolumeClock } from '@app/shared/files';
import { test } from '../support/index.js';

test("the volume's clock is read off a file, runs on by itself, and is never ahead", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-clock-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const volume = new Volume();
  t.after(() => volume.stop());
  const clock = new VolumeClock(volume, join(folder, 'root'), 100);
  assert.equal(clock.now().volumeMs, null, 'not read yet');
  await clock.read();
  assert.equal(clock.now().volumeMs, null, 'there is no such folder');
  assert.match(clock.problems().join(), /^the clock of the shared volume cannot be read.*ENOENT/);
  mkdirSync(join(folder, 'root'));
  await clock.keep();
  assert.equal(clock.now().volumeMs, null, 'it is not tried at every turn');
  await clock.read();
  const { volumeMs } = clock.now();
  assert.ok(volumeMs !== null && volumeMs <= Date.now());
  assert.deepEqual(clock.problems(), []);
  assert.deepEqual(readdirSync(join(folder, 'root')), [], 'nothing is left');
  assert.ok(clock.now().volumeMs! >= volumeMs);
});
