import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Child, test, until, World } from '../support/index.js';

const ROOT = resolve(__dirname, '../../..');
const RUNBOOK = readFileSync(join(ROOT, 'docs/operate.md'), 'utf8');

test('every command of the runbook does what it says, in its order, on a running system', async (t) => {
  const world = await World.make(t, {
    env: {
      APP_API_TOKEN: 'runbook',
      APP_MAX_ATTEMPTS: '1',
      APP_KEEP_DONE_S: '3600',
      APP_KEEP_DONE_FREE: '0',
    },
  });
  const url = `http://127.0.0.1:${world.app('api').port}`;
  const ask = async (path: string, body?: object) => {
    const headers = { authorization: 'Bearer runbook', 'content-type': 'application/json' };
    const init = body ? { method: 'POST', headers, body: JSON.stringify(body) } : { headers };
    return (await fetch(url + path, init)).json() as Promise<Record<string, unknown>>;
  };
  const session = await ask('/v1/watch/start', { session_name: 'my session' });
  const key = `${String(session.date_prefix)}/${String(session.encoded_session)}`;
  const blob = world.azurite.client.getContainerClient(world.container).getBlockBlobClient(`${key}/a b.bin`);
  await blob.upload('x', 1);
  await blob.getBlobLeaseClient().acquireLease(-1);
  world.drop('good.bin', 1000);
  world.drop('a b.bin', 1000);
  await until('one is done and one quarantined', async () => {
    const { processed_ok, processed_err } = await ask('/v1/status');
    return processed_ok === 1 && processed_err === 1;
  });
  const env = {
    ...world.env(),
    PATH: process.env.PATH ?? '',
    HOME: world.folder,
    SLUICE_URL: url,
    SLUICE_TOKEN: 'runbook',
    FILE: 'a b.bin',
    STORED_FILE: 'good.bin',
    SESSION: key,
    ENTRY: world.processing,
  };
  const file = join(world.failed, key, 'a b.bin');
  const blocks = [...RUNBOOK.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block ?? '');
  assert.ok(blocks.length > 15);
  let givenUp = false;
  for (const block of blocks) {
    // a retry above has taken it out of quarantine, and the lease brings it back
    if (!givenUp) await until('the file is in quarantine', () => existsSync(file) && reasonOf(file));
    givenUp ||= block.includes('given-up');
    const script = `cd '${ROOT}'\nset -euo pipefail\n${block}`;
    const child = new Child('bash', ['-c', script.replaceAll('given-up', `'${world.folder}/given-up'`)], env);
    const { code } = await child.ended;
    assert.equal(code, 0, `${block}\n${child.stdout}\n${child.stderr}`);
  }
  assert.deepEqual(readdirSync(join(world.folder, 'given-up')), ['a b.bin']);
  await until('the name is free again', async () => (await ask('/v1/files/a%20b.bin')).status === 404);
});

test('every sentence that the runbook explains is one that the code says', () => {
  const code = ['apps', 'libs'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(join(ROOT, folder, name), 'utf8')),
  );
  const all = code.join('\n');
  const sentences = [...RUNBOOK.matchAll(/^> (.+)$/gm)].map(([, sentence]) => sentence ?? '');
  assert.ok(sentences.length > 25);
  for (const sentence of sentences)
    for (const part of sentence.split(/[…,;]/).map((text) => text.trim().replace(/:$/, '')))
      if (part.length > 3)
        assert.ok(
          // what a sentence quotes of another one stands elsewhere
          all.includes(part) || part.split(': ').every((one) => all.includes(one)),
          `"${part}" of "${sentence}"`,
        );
});

test('every link within the runbook leads to one of its parts', () => {
  const anchors = new Set(
    [...RUNBOOK.matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
      (title ?? '')
        .toLowerCase()
        .replace(/[^a-z0-9 -]/g, '')
        .replaceAll(' ', '-'),
    ),
  );
  for (const [, anchor = ''] of RUNBOOK.matchAll(/\]\(#([^)]+)\)/g)) assert.ok(anchors.has(anchor), anchor);
});

function reasonOf(file: string): boolean {
  return existsSync(file.replace(/\/([^/]+)$/, '/.$1.error.json'));
}
