import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, test, until } from '../support/index.js';
import { command, tryCommand } from './command.js';
import { allMoved, ask, BIG, containerAt, dropThirty } from './moved.js';

/** Of the two clients, the one that is here. */
const compose: [string, string[]] =
  tryCommand('docker', ['compose', 'version']).code === 0 ? ['docker', ['compose']] : ['docker-compose', []];

test('three uploaders, one of them killed in mid-upload, move thirty files', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-ship-'));
  const volume = join(folder, 'nfs');
  const [apiPort, azuritePort] = [await freePort(), await freePort()];
  const env = {
    SLUICE_NFS: volume,
    SLUICE_API_PORT: String(apiPort),
    SLUICE_AZURITE_PORT: String(azuritePort),
  };
  const project = `sluice-ship-${process.pid}`;
  const stack = (...args: string[]) => command(compose[0], [...compose[1], '-p', project, ...args], env);
  t.after(() => {
    stack('down', '-v', '--timeout', '10');
    rmSync(folder, { recursive: true, force: true });
  });
  stack('up', '-d', '--no-build', '--scale', 'uploader=3');

  const api = `127.0.0.1:${apiPort}`;
  const container = containerAt(`127.0.0.1:${azuritePort}`);
  const pods = async (): Promise<any[]> => (await ask(api, '/v1/status')).pods;
  await until(
    'three uploaders are ready',
    async () => (await pods()).filter((pod) => pod.role === 'uploader' && pod.ready).length === 3,
  );

  const { date_prefix, encoded_session } = await ask(api, '/v1/watch/start', '', { session_name: 'ship' });
  const session = `${date_prefix}/${encoded_session}`;
  // so large that no machine has sent it between its first block and the pause of the store
  const dropped = dropThirty(join(volume, 'incoming'), 768 * 2 ** 20);

  // the store stands still as soon as it has a few blocks, so that the kill falls between two
  const blob = container.getBlockBlobClient(`${session}/${BIG}`);
  await until('blocks of the big file arrive', async () => {
    const { uncommittedBlocks = [] } = await blob.getBlockList('uncommitted');
    return uncommittedBlocks.length > 0;
  });
  const azurite = stack('ps', '-q', 'azurite');
  command('docker', ['pause', azurite]);
  const { uploader } = await ask(api, `/v1/files/${BIG}`);
  command('docker', ['kill', uploader]);
  command('docker', ['unpause', azurite]);
  assert.equal(await blob.exists(), false, 'the upload was not through when its uploader was killed');

  await allMoved(api, '', container, volume, session, dropped);
  const { uploader: heir } = await ask(api, `/v1/files/${BIG}`);
  assert.notEqual(heir, uploader, 'another uploader has brought it to its end');

  const ids = stack('ps', '-q', 'api', 'scanner', 'uploader')
    .split('\n')
    .filter((id) => !id.startsWith(uploader));
  stack('stop', '--timeout', '45', 'api', 'scanner', 'uploader');
  for (const id of ids)
    assert.equal(
      command('docker', ['inspect', '-f', '{{.State.ExitCode}}', id]),
      '0',
      'ends with code 0 on SIGTERM',
    );
});
