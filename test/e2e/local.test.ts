import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Child, freePort } from '../support/child.js';
import { test } from '../support/test.js';
import { until } from '../support/until.js';

const LOCAL = resolve(__dirname, '../../scripts/local.js');
const READY_MS = 120_000;
const GONE_MS = 60_000;

describe('npm run local', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-local-'));
  const incoming = join(folder, 'nfs/incoming');
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function start(...args: string[]): Child {
    const env = { PATH: process.env.PATH ?? '', HOME: folder };
    return new Child(process.execPath, [LOCAL, '--folder', folder, ...args], env);
  }

  async function ready(local: Child): Promise<void> {
    await until('it is ready', () => local.stdout.includes('Copy files') || ended(local), READY_MS);
    assert.ok(local.alive, local.stderr);
  }

  async function done(local: Child, shown: string): Promise<void> {
    await until(
      `${shown} is done`,
      () => local.stdout.includes(`done       ${shown}`) || ended(local),
      READY_MS,
    );
    assert.ok(local.alive, local.stderr);
  }

  test('goes on with its session after it was killed, leaves no process, and says at its end what is left', async () => {
    const first = start('--port', String(await freePort()), '--session', 'Zürich 1');
    await ready(first);
    writeFileSync(join(incoming, 'red \u001b[31m.bin'), 'bytes');
    // such a name is quarantined, and shown
    await until('it is quarantined', () => first.stdout.includes('failed     red \\u{1b}[31m.bin'), READY_MS);
    writeFileSync(join(incoming, 'first.bin'), 'bytes');
    await done(first, 'first.bin');
    assert.ok(!first.stdout.includes('\u001b'), 'a name reached the terminal unescaped');
    const { processes } = JSON.parse(readFileSync(join(folder, 'running.json'), 'utf8')) as {
      processes: { name: string; pid: number }[];
    };
    assert.deepEqual(processes.map(({ name }) => name).sort(), [
      'api',
      'azurite',
      'redis',
      'scanner',
      'uploader',
    ]);
    first.signal('SIGKILL');
    await first.ended;
    await until('all of it has ended', () => processes.every(({ pid }) => !isThere(pid)), GONE_MS);

    const second = start('--port', String(await freePort()));
    await ready(second);
    assert.match(second.stdout, /Session {7}\d{8}\/Z%C3%BCrich%201\n/);
    writeFileSync(join(incoming, 'second.bin'), 'more bytes');
    await done(second, 'second.bin');
    const listed = await run('--list');
    assert.match(listed.stdout, /\d{8}\/Z%C3%BCrich%201\/second\.bin\n/);
    assert.match(listed.stdout, /\n2 blobs, 15 B\n$/);
    const other = await run('--port', String(await freePort()));
    assert.equal(other.code, 1);
    assert.match(other.stderr, /already runs the system in/);

    second.signal('SIGTERM');
    assert.deepEqual(await second.ended, { code: 0, signal: null });
    assert.match(
      second.stdout,
      /stopped; left for the next start: 1 quarantined\. .* takes [\d.]+ [KM]iB; remove it/,
    );
  });

  test('names what a killed one left, and refuses to start beside it', async () => {
    const own = mkdtempSync(join(tmpdir(), 'sluice-local-'));
    const left = new Child('sleep', ['600'], { PATH: process.env.PATH ?? '' });
    try {
      mkdirSync(own, { recursive: true });
      const { pid } = left.process;
      const processes = [{ name: 'redis', pid, command: 'sleep' }];
      writeFileSync(join(own, 'running.json'), JSON.stringify({ pid: 0x3fffffff, processes }));
      const local = await run('--folder', own);
      assert.equal(local.code, 1);
      assert.match(local.stderr, new RegExp(`redis \\(${pid}\\).*kill -9 ${pid}`));
    } finally {
      left.signal('SIGKILL');
      await left.ended;
      rmSync(own, { recursive: true, force: true });
    }
  });

  test('says what it can do', async () => {
    const help = await run('--help');
    assert.equal(help.code, 0);
    for (const option of ['--session', '--port', '--demo', '--list', '--folder'])
      assert.ok(help.stdout.includes(option), option);
  });

  async function run(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
    const child = start(...args);
    const { code } = await child.ended;
    return { code, stdout: child.stdout, stderr: child.stderr };
  }
});

function ended(child: Child): boolean {
  return !child.alive;
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
