import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Staging, type Reservation } from '@app/shared/files';
import { test, type TestContext } from '../support/index.js';

const blockRule = { maxBlockSize: 8, maxSinglePutSize: 8, blockMemory: 8 };

function stagingIn(t: TestContext, root: string, limitBytes: number | null = null): Staging {
  const staging = new Staging({ root, limitBytes, blockRule, contentMd5: true });
  t.after(() => staging.stop());
  return staging;
}

function folderOf(t: TestContext): string {
  const folder = fs.mkdtempSync(join(tmpdir(), 'sluice-room-'));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test('room is kept first come, first served, and never beyond the limit', { timeout: 30_000 }, async (t) => {
  const staging = stagingIn(t, folderOf(t), 100);
  staging.start();
  const { signal } = new AbortController();
  const first = await staging.reserve(60, signal);
  assert.equal(staging.reservedBytes, 60);

  const served: string[] = [];
  const ask = async (name: string, bytes: number): Promise<Reservation> => {
    const room = await staging.reserve(bytes, signal);
    served.push(name);
    return room;
  };
  const large = ask('large', 80);
  const small = ask('small', 10);
  await assert.rejects(staging.reserve(101, AbortSignal.timeout(1_500)), { name: 'Interrupted' });
  assert.deepEqual(served, [], 'the small one fits, and does not overtake');

  first.release();
  first.release();
  const [largeRoom, smallRoom] = await Promise.all([large, small]);
  assert.deepEqual(served, ['large', 'small']);
  assert.equal(staging.reservedBytes, 90);
  largeRoom.release();
  smallRoom.release();
  assert.equal(staging.reservedBytes, 0);

  await assert.rejects(staging.reserve(101, signal), {
    name: 'LargerThanStaging',
    message: /101.*100/,
  });
  (await staging.reserve(100, signal)).release();
});

test('who stops waiting for room makes way for the next', { timeout: 30_000 }, async (t) => {
  const staging = stagingIn(t, folderOf(t), 100);
  staging.start();
  const { signal } = new AbortController();
  const held = await staging.reserve(50, signal);
  const leaving = new AbortController();
  const first = staging.reserve(80, leaving.signal);
  const next = staging.reserve(50, signal);
  leaving.abort();
  await assert.rejects(first, { name: 'Interrupted' });
  (await next).release();
  held.release();
  await assert.rejects(staging.reserve(1, leaving.signal), { name: 'Interrupted' });
});

interface Marker {
  pid: number;
  startTicks: string;
  place: string;
}

test('left-overs of dead processes go; files of the living, and of anybody else, stay', async (t) => {
  const root = folderOf(t);
  const living = stagingIn(t, root);
  living.start();
  const livingId = (fs.readdirSync(root)[0] ?? '').replace('.owner-', '');
  const ours = JSON.parse(fs.readFileSync(join(root, `.owner-${livingId}`), 'utf8')) as Marker;
  const gone = Number(execFileSync(process.execPath, ['-p', 'process.pid']).toString());

  const old = new Date(Date.now() - 120_000);
  const make = (path: string, text = '', when = old): string => {
    const whole = join(root, path);
    fs.mkdirSync(join(whole, '..'), { recursive: true });
    fs.writeFileSync(whole, text);
    fs.utimesSync(whole, when, when);
    return path;
  };
  const owner = (id: string, marker: Marker, when = old): void =>
    void make(`.owner-${id}`, JSON.stringify(marker), when);
  const now = new Date();
  owner('aaaaaaaaaaaa', { ...ours, pid: gone });
  owner('bbbbbbbbbbbb', { ...ours, startTicks: '1' });
  owner('cccccccccccc', { ...ours, place: 'another node' });
  owner('dddddddddddd', { ...ours, place: 'another node' }, now);
  const dead = [
    make('20260101/s/aaaaaaaaaaaa-1.staged'),
    make('20260101/s/bbbbbbbbbbbb-2.staged'),
    make('20260102/s/cccccccccccc-3.staged', '', now),
    make('20260103/s/eeeeeeeeeeee-4.staged'),
  ];
  const kept = [
    make(`20260101/s/${livingId}-1.staged`),
    make('20260104/s/dddddddddddd-1.staged'),
    make('20260104/s/ffffffffffff-1.staged', '', now),
    make('20260104/s/film.mov'),
    make('20260104/film.mov'),
    make('incoming/film.mov'),
    make('incoming/s/aaaaaaaaaaaa-1.staged'),
    make('film.mov'),
    make('.ownership'),
  ];
  fs.mkdirSync(join(root, 'incoming', 'empty'));

  assert.equal(stagingIn(t, root).start(), dead.length);
  for (const path of dead) assert.equal(fs.existsSync(join(root, path)), false, path);
  for (const path of kept) assert.ok(fs.existsSync(join(root, path)), path);
  assert.ok(fs.existsSync(join(root, 'incoming', 'empty')), 'a folder of others stays, empty or not');
  assert.deepEqual(
    fs
      .readdirSync(root)
      .filter((name) => /^\d{8}$/.test(name))
      .sort(),
    ['20260101', '20260104'],
  );
  const markers = fs.readdirSync(root).filter((name) => name.startsWith('.owner-'));
  assert.equal(markers.length, 3, 'the living one, the one on another node, and the newcomer');
});
