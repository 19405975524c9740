import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Layout } from '@app/shared/domain';
import { Volume } from '@app/shared/files';
import { putBack } from '../../apps/uploader/steps/put-back.js';
import { test } from '../support/index.js';

const SESSION = { datePrefix: '20260131', encodedSession: 'back' };
const NAME = 'a/b/x.bin';

test('a claimed file goes back into its folder of the drop folder, which is made again; never over another, and none is lost', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-back-'));
  const volume = new Volume({ threads: 1 });
  t.after(async () => {
    await volume.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const layout = new Layout({
    incoming: join(folder, 'incoming'),
    processing: join(folder, '.processing'),
    failed: join(folder, '.failed'),
  });
  const put = (path: string, text: string) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  };
  const [dropped, claimed] = [layout.incoming(NAME), layout.processing(SESSION, NAME)];
  const back = () => putBack({ session: SESSION, filename: NAME }, { layout, volume });
  mkdirSync(layout.roots.incoming);

  assert.equal(await back(), false, 'there is none');
  assert.equal(existsSync(layout.incoming('a')), false, 'and no folder is made for it');

  put(claimed, 'the file');
  assert.equal(await back(), true);
  assert.equal(readFileSync(dropped, 'utf8'), 'the file');

  put(claimed, 'another');
  assert.equal(await back(), false);
  assert.deepEqual(
    [dropped, claimed].map((path) => readFileSync(path, 'utf8')),
    ['the file', 'another'],
  );

  rmSync(layout.incoming('a'), { recursive: true });
  put(layout.incoming('a'), 'a file where its folder was');
  assert.equal(await back(), false);
  assert.equal(readFileSync(claimed, 'utf8'), 'another', 'it goes on where it is');
});
