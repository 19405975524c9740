import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { Child, freePort, test, type TestContext, until, World } from '../support/index.js';

const CLI = resolve(__dirname, '../../apps/cli/main.js');

interface Said {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function start(url: string, args: string[], env: Record<string, string> = {}): Child {
  return new Child(process.execPath, [CLI, ...args], {
    PATH: process.env.PATH ?? '',
    SLUICE_URL: url,
    ...env,
  });
}

async function sluice(url: string, args: string[], env: Record<string, string> = {}): Promise<Said> {
  const child = start(url, args, env);
  const { code } = await child.ended;
  return { code, out: child.stdout, err: child.stderr };
}

const urlOf = (world: World) => `http://127.0.0.1:${world.app('api').port}`;

test('a person starts a session, sees files come through, asks where one is, and stops', async (t) => {
  const world = await World.make(t);
  const url = urlOf(world);
  const started = await sluice(url, ['start', 'my session']);
  assert.equal(started.code, 0, started.err);
  assert.match(started.out, /^Session my session is active; files go to \d{8}\/my%20session\/\n$/);
  const md5 = world.drop('a file.bin', 5_000_000);
  await world.done(1);

  const status = await until('all are ready', async () => {
    const said = await sluice(url, ['status', '--check']);
    if (said.code === 0 && !said.out.includes('not ready')) return said;
    throw new Error(said.out + said.err);
  });
  assert.match(status.out, /my session is active/);
  assert.match(status.out, /1 files, 0 quarantines/);
  assert.match(status.out, /No problems\./);
  for (const role of ['api', 'scanner', 'uploader'])
    assert.match(status.out, new RegExp(`^${role} +\\S+ +ready`, 'm'));

  const file = await sluice(url, ['files', 'a file.bin']);
  assert.equal(file.code, 0, file.err);
  assert.match(file.out, /^Why {7}done: verified in the store/m);
  assert.ok(file.out.includes(md5));

  const key = /files go to (\S+)\/\n/.exec(started.out)?.[1] ?? '';
  assert.equal((await sluice(url, ['files', `${key}/a file.bin`])).out, file.out, 'as watch prints it');
  const session = await sluice(url, ['sessions', key]);
  assert.equal(session.code, 0, session.err);
  assert.match(session.out, /0 queued, 0 active, 0 delayed, 1 done, 0 failed/);
  assert.match((await sluice(url, ['sessions'])).out, /my%20session +active/);
  assert.equal((await sluice(url, ['sessions', 'my session'])).out, session.out);

  const lines = await sluice(url, ['manifest', 'my session']);
  assert.deepEqual([lines.code, JSON.parse(lines.out).md5], [0, md5], lines.err);
  const table = await sluice(url, ['manifest', key, '--csv']);
  assert.match(table.out, /^"name",.*"md5".*\r\n"a file\.bin",.*\r\n$/);
  assert.ok(table.out.includes(`"${md5}"`));
  assert.equal((await sluice(url, ['open'])).out, `${url}/\n`);

  const stopped = await sluice(url, ['stop']);
  assert.equal(stopped.code, 0, stopped.err);
  const { enabled } = JSON.parse((await sluice(url, ['status', '--json'])).out) as { enabled: boolean };
  assert.equal(enabled, false);
});

test('a quarantined file is listed with its reason, and retry brings it through', async (t) => {
  const world = await World.make(t, { env: { APP_MAX_ATTEMPTS: '1' } });
  const url = urlOf(world);
  await world.startSession('s');
  const container = world.azurite.client.getContainerClient(world.container);
  const { body } = await world.api('/v1/sessions');
  const key = `${body.items[0].date_prefix}/${body.items[0].encoded_session}`;
  const blob = container.getBlockBlobClient(`${key}/leased.bin`);
  await blob.upload('x', 1);
  const lease = blob.getBlobLeaseClient();
  await lease.acquireLease(-1);
  world.drop('leased.bin', 100);
  await until('the file is quarantined', async () => (await world.status()).processed_err === 1);

  const failed = await sluice(url, ['files', '--state', 'failed']);
  assert.match(failed.out, /^failed +100 bytes +1 .*leased\.bin +failed after 1 attempt: /m);
  assert.equal((await sluice(url, ['manifest', 's'])).out, '');
  const lines = await sluice(url, ['manifest', 's', '--all']);
  const { name, state, attempts } = JSON.parse(lines.out) as Record<string, unknown>;
  assert.deepEqual([lines.code, name, state, attempts], [0, 'leased.bin', 'failed', 1], lines.err);
  assert.equal((await sluice(url, ['retry'])).code, 2);
  assert.equal((await sluice(url, ['retry', '--all', 'leased.bin'])).code, 2);
  const none = await sluice(url, ['retry', 'another.bin']);
  assert.equal(none.code, 1);
  assert.match(none.err, /^sluice: no such file is quarantined: another\.bin; .*\n$/);

  await lease.releaseLease();
  const retried = await sluice(url, ['retry', 'leased.bin', '--json']);
  assert.deepEqual(JSON.parse(retried.out), { retried: 1 });
  await world.done(1);
  assert.equal(JSON.parse((await sluice(url, ['files', '--state', 'failed', '--json'])).out).items.length, 0);
});

test('a list longer than a page of the api is followed, and goes on at its cursor', async (t) => {
  const api = await stand(t, (path) => {
    const query = new URL(path, 'http://x').searchParams;
    const from = Number(query.get('cursor') ?? 0);
    const limit = Number(query.get('limit'));
    const items = Array.from({ length: limit }, (_, i) => fileNamed(`f${from + i}`));
    return { items, next_cursor: String(from + limit) };
  });
  const { out, code } = await sluice(api, ['files', '--limit', '2500', '--json']);
  const page = JSON.parse(out) as { items: { filename: string }[]; next_cursor: string };
  assert.equal(code, 0);
  assert.equal(page.items.length, 2500);
  assert.equal(page.items.at(-1)?.filename, 'f2499');
  assert.equal(page.next_cursor, '2500');
  assert.match(
    (await sluice(api, ['files', '--limit', '1', '--cursor', '7'])).out,
    /f7 .*\nMore with --cursor 8\n$/s,
  );
});

test('no name and no sentence of the api reaches the terminal raw', async (t) => {
  const hostile = 'a\u001b[2J\u0007\r\n\u009b31m\u202eb';
  const api = await stand(t, () => ({ items: [fileNamed(hostile)], next_cursor: null }));
  const lines = await sluice(api, ['files']);
  // eslint-disable-next-line no-control-regex
  const raw = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/;
  assert.doesNotMatch(lines.out, raw);
  assert.ok(lines.out.includes('a\\u{1b}[2J\\u{7}\\u{d}\\u{a}\\u{9b}31m\\u{202e}b'), lines.out);
  const json = await sluice(api, ['files', '--json']);
  assert.doesNotMatch(json.out, raw);
  assert.equal(JSON.parse(json.out).items[0].filename, hostile);
});

test('a name that was copied from what is printed is found', async (t) => {
  const odd = 'a\\b\u0007.bin';
  const known = new Set([odd, '20260131/really/a path.bin']);
  const asked: string[] = [];
  const api = await stand(t, (path) => {
    const { pathname, searchParams } = new URL(path, 'http://x');
    if (pathname === '/v1/files/retry') return { retried: 0 };
    const name = decodeURIComponent(pathname.slice('/v1/files/'.length));
    asked.push(`${searchParams.get('session') ?? ''}|${name}`);
    return known.has(name) ? { ...fileNamed(name), others: [] } : 404;
  });
  const printed = 'a\\\\b\\u{7}.bin';
  for (const text of [odd, printed, `20260131/s/${printed}`])
    assert.match((await sluice(api, ['files', text])).out, /^Name +a\\\\b\\u\{7\}\.bin$/m, text);
  assert.deepEqual(asked.at(-1), `20260131/s|${odd}`);
  assert.equal((await sluice(api, ['files', '20260131/really/a path.bin'])).code, 0, 'a path is a name, too');
  assert.equal((await sluice(api, ['retry', printed])).code, 1);
  assert.deepEqual(asked.at(-1), `|${odd}`);
  assert.match((await sluice(api, ['files', 'no\\body'])).err, /404/);
});

test('each way to fail has its exit code and one line that names what to change', async (t) => {
  const free = `http://127.0.0.1:${await freePort()}`;
  const stranger = await stand(t, () => 'hello');
  const world = await World.make(t, { start: ['api'], env: { APP_API_TOKEN: 'right-token' } });
  const url = urlOf(world);
  const cases: [Promise<Said>, number, RegExp][] = [
    [sluice(free, ['status']), 3, /no api at .*SLUICE_URL/],
    [sluice(stranger, ['status']), 3, /not as the api of Sluice/],
    [sluice('nonsense', ['status']), 2, /SLUICE_URL/],
    [sluice('http://u:secret@127.0.0.1:1', ['status']), 2, /SLUICE_TOKEN/],
    [sluice(url, ['status']), 1, /401.*SLUICE_TOKEN/],
    [sluice(url, ['status'], { SLUICE_TOKEN: 'wrong' }), 1, /401.*SLUICE_TOKEN/],
    [sluice(url, ['files', 'nobody'], { SLUICE_TOKEN: 'right-token' }), 1, /404: no file of this name/],
    [sluice(url, ['start', 'a\u0001b'], { APP_API_TOKEN: 'right-token' }), 1, /400: /],
    [sluice(url, ['nonsense']), 2, /nonsense/],
    [sluice(url, ['files', '--limit', '0']), 2, /limit/],
    [
      sluice(url, ['sessions', 'nonsense'], { SLUICE_TOKEN: 'right-token' }),
      1,
      /no session has the name "nonsense"/,
    ],
    [sluice(url, ['status', '--token', 'x']), 2, /--token/],
    [sluice(url, ['status', '--check'], { SLUICE_TOKEN: 'right-token' }), 1, /^$/],
  ];
  for (const [said, code, sentence] of cases) {
    const { err, code: actual } = await said;
    assert.equal(actual, code, err);
    assert.match(err, sentence);
    assert.ok(err.split('\n').length <= 2, err);
    assert.doesNotMatch(err, /right-token|wrong|secret/);
  }
  const well = await sluice(url, ['status'], { SLUICE_TOKEN: 'right-token' });
  assert.equal(well.code, 0, well.err);
  assert.match(well.out, /No live scanner/);
  await world.redis.kill();
  const away = await sluice(url, ['status'], { SLUICE_TOKEN: 'right-token' });
  assert.equal(away.code, 3);
  assert.match(away.err, /503/);
});

test('watch tells each file in a line, goes on after the api was away, and ends with 0', async (t) => {
  const world = await World.make(t);
  const url = urlOf(world);
  await world.startSession('w');
  const lines = start(url, ['watch']);
  const json = start(url, ['watch', '--json']);
  const events = start(url, ['events', '--session', 'w']);
  const others = start(url, ['events', '--json']);
  t.after(() => Promise.all([lines, json, events, others].map((child) => child.kill())));
  let firsts = 0;
  await until('both are told of a file', () => {
    if (world.filesIn(world.volume).length === 0) world.drop(`first-${firsts++}.bin`, 1000);
    return (
      [lines, events].every(({ stdout }) => /done +\d{8}\/w\/first-\d+\.bin: /.test(stdout)) &&
      [json, others].every(({ stdout }) => stdout.includes('"state":"done"'))
    );
  });

  const [api] = world.running('api');
  assert.ok(api);
  await api.stop();
  const lost = / lost +the api ended|lost +no api/;
  await until('the loss is told', () => lost.test(lines.stdout) && lost.test(events.stdout));
  world.drop('meanwhile.bin', 10);
  await until('it is through', () => world.filesIn(world.volume).length === 0);
  await world.start('api', { APP_PORT: String(api.port) });
  await until('all are told of what happened meanwhile', () =>
    [lines, json, events, others].every(({ stdout }) => /done.*meanwhile|meanwhile.*"done"/.test(stdout)),
  );
  assert.ok(others.stdout.includes('"state":"dropped"') && !events.stdout.includes('dropped'));
  for (const [child, signal] of [
    [events, 'SIGINT'],
    [others, 'SIGTERM'],
  ] as const) {
    child.signal(signal);
    assert.equal((await child.ended).code, 0, child.stderr);
  }
  assert.equal((await lines.stop()).code, 0);
  json.signal('SIGINT');
  assert.equal((await json.ended).code, 0);
  for (const line of json.stdout.trim().split('\n')) assert.equal(typeof JSON.parse(line).type, 'string');
  assert.equal(lines.stderr + json.stderr, '');
});

test('on a terminal watch draws within its size, and leaves it as it was', async (t) => {
  const hostile = `${'名'.repeat(60)}\u001b[5m.bin`;
  const session = {
    date_prefix: '20260131',
    session_name: 'x'.repeat(300),
    encoded_session: 'x',
    state: 'active',
    files: { queued: 0, active: 9, delayed: 0, done: 0, failed: 0 },
    bytes: { done: 0, total: 100 },
    rate_bytes_per_s: 0,
    eta_s: null,
  };
  const active = Array.from({ length: 30 }, (_, i) => ({ ...fileNamed(`${i}${hostile}`), state: 'active' }));
  const api = await stand(t, (path) =>
    path.startsWith('/v1/files')
      ? { items: active, next_cursor: null }
      : path.startsWith('/v1/sessions')
        ? { items: [session], next_cursor: null }
        : { problems: ['one', 'two'] },
  );
  // `script` of util-linux gives it a terminal
  const command = `stty cols 50 rows 12; exec '${process.execPath}' '${CLI}' watch`;
  const child = spawn('script', ['-qefc', command, '/dev/null'], {
    env: { PATH: process.env.PATH ?? '', SHELL: '/bin/sh', TERM: 'xterm', NO_COLOR: '1', SLUICE_URL: api },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  t.after(() => child.kill('SIGKILL'));
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (shown += text));
  await until('bars are drawn', () => shown.includes('more in flight'));
  const frame = shown.split('\u001b[H').at(-2) ?? '';
  const lines = frame.split('\u001b[K\r\n');
  assert.ok(lines.length <= 12, `${lines.length} lines`);
  assert.ok(!frame.includes('\u001b[5m') && !frame.includes('\u001b[1m'), 'no escape of a name, no colour');
  child.stdin.write('\u0003'); // Ctrl-C
  assert.deepEqual(await ended, [0, null]);
  assert.ok(shown.includes('\u001b[?25h\u001b[?1049l'), 'the terminal is as it was');
});

/** A server that answers as told; `/v1/events` stays open and says nothing. */
async function stand(t: TestContext, answer: (path: string) => unknown): Promise<string> {
  const server = createServer((request, response) => {
    if (request.url === '/v1/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      return void response.write(': connected\n\n');
    }
    const value = answer(request.url ?? '');
    if (value === 404) {
      response.writeHead(404, { 'content-type': 'application/problem+json' });
      return void response.end('{"status":404,"detail":"no file of this name is known"}');
    }
    response.end(typeof value === 'string' ? value : JSON.stringify(value));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function fileNamed(filename: string): object {
  return {
    filename,
    state: 'queued',
    why: `queued: ${filename}`,
    session: { date_prefix: '20260131', encoded_session: 's' },
    size: 100,
    progress: { bytes: 10, percent: 10 },
    attempts: 0,
    url: null,
    md5: null,
    uploader: null,
  };
}
