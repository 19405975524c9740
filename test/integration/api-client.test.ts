import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { test, type TestContext } from '../support/index.js';
import { seeded } from './api-seeded.js';

const ROOT = resolve(__dirname, '../../..');
const run = promisify(execFile);

/** What an integrator writes: every call with names and types of the document alone. */
const PROGRAM = `
import createClient from 'openapi-fetch';
import type { components, paths } from './schema.js';

const client = createClient<paths>({ baseUrl: process.argv[2]! });
function must<T>({ data, error }: { data?: T; error?: { detail: string } }): T {
  if (data === undefined) throw new Error(error?.detail ?? 'no answer');
  return data;
}

const started = must(await client.POST('/v1/watch/start', { body: { session_name: 'Zürich/2' } }));
const path = { date: started.date_prefix, encoded_session: started.encoded_session };
const session: components['schemas']['SessionView'] = must(
  await client.GET('/v1/sessions/{date}/{encoded_session}', { params: { path } }),
);
const queued: number = session.files.queued;
const listed = must(await client.GET('/v1/files', { params: { query: { state: 'failed', limit: 10 } } }));
const [file] = listed.items;
const one = must(await client.GET('/v1/files/{filename}', { params: { path: { filename: file!.filename } } }));
const { retried } = must(await client.POST('/v1/files/retry', { body: { filenames: [one.filename] } }));
const lines = await client.GET('/v1/sessions/{date}/{encoded_session}/manifest', {
  params: { path },
  parseAs: 'text',
});
const status = must(await client.GET('/v1/status'));
const stopped = must(await client.POST('/v1/watch/stop', { body: { drain: false } }));
const sessions = must(await client.GET('/v1/sessions'));
const unknown = await client.GET('/v1/files/{filename}', { params: { path: { filename: 'nobody' } } });
if (process.argv.length > 99) {
  // @ts-expect-error no such call
  await client.GET('/v1/nothing');
  // @ts-expect-error no such state
  await client.GET('/v1/files', { params: { query: { state: 'lost' } } });
  // @ts-expect-error no such field
  file!.nothing;
}
console.log(
  JSON.stringify({
    name: session.session_name,
    queued,
    file: one.filename,
    hint: one.hint,
    log: one.log,
    retried,
    manifest: lines.response.status,
    enabled: [status.enabled, stopped.enabled],
    sessions: sessions.items.length,
    unknown: unknown.error?.status,
  }),
);
`;

/** A folder beside this package's modules; it goes with the test. */
function folderFor(t: TestContext): string {
  const cache = join(ROOT, 'node_modules/.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'client-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test('a client that is generated from docs/openapi.json compiles and works against the api', async (t) => {
  const folder = folderFor(t);
  const modules = join(ROOT, 'node_modules');
  const documented = join(ROOT, 'docs/openapi.json');
  await run(process.execPath, [
    ...[join(modules, 'openapi-typescript/bin/cli.js'), documented, '-o', join(folder, 'schema.d.ts')],
  ]);
  writeFileSync(join(folder, 'client.mts'), PROGRAM);
  const options = [
    '--strict',
    '--target',
    'es2022',
    '--module',
    'node20',
    '--skipLibCheck',
    '--ignoreConfig',
    '--types',
    'node',
  ];
  await run(process.execPath, [join(modules, 'typescript/bin/tsc'), ...options, 'client.mts'], {
    cwd: folder,
  }).catch((error: { stdout?: string }) => assert.fail(error.stdout));

  const api = await seeded(t);
  const file = { session: { datePrefix: '20260131', encodedSession: 's' }, filename: 'ü %/1.bin', size: 5 };
  const { app, moves } = api;
  await moves.quarantined(file, { why: 'failed: x', attempts: 1, code: 'WriteConflict', count: true });
  const { stdout } = await run(process.execPath, [
    join(folder, 'client.mjs'),
    `http://127.0.0.1:${app.port}`,
  ]);
  assert.deepEqual(JSON.parse(stdout), {
    ...{ name: 'Zürich/2', queued: 0, file: 'ü %/1.bin', log: [], retried: 1, manifest: 200, sessions: 2 },
    hint: 'Find what else writes this blob and stop it, then retry.',
    enabled: [true, false],
    unknown: 404,
  });
  assert.match(readFileSync(join(folder, 'schema.d.ts'), 'utf8'), /"\/v1\/events"/);
});
