import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { Volume, type Entry, type FileCall, type VolumeOptions } from '@app/shared/files';
import { VolumeError } from '@app/shared/domain';

function folderOf(t: TestContext): string {
  const folder = fs.mkdtempSync(join(tmpdir(), 'sluice-files-'));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function volumeOf(t: TestContext, options: VolumeOptions = {}): Volume {
  const volume = new Volume(options);
  t.after(() => volume.stop());
  return volume;
}

/** A FIFO: opening it to read hangs in the kernel until somebody opens it to write, as a call on a dead mount does. */
function hangingFile(folder: string, name: string): { path: string; release: () => void } {
  const path = join(folder, name);
  execFileSync('mkfifo', [path]);
  return {
    path,
    release: () => fs.closeSync(fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_NONBLOCK)),
  };
}

function isVolumeError(code: string, operation: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof VolumeError);
    assert.equal(error.code, code);
    assert.equal(error.operation, operation);
    assert.match(error.message, new RegExp(`^${operation} of .+ failed: ${code}`));
    return true;
  };
}

async function entries(volume: Volume, folder: string): Promise<Entry[]> {
  const all: Entry[] = [];
  await volume.list(folder, (slice) => {
    assert.ok(slice.length <= 1_024);
    all.push(...slice);
  });
  return all;
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const end = Date.now() + 10_000;
  while (!condition()) {
    assert.ok(Date.now() < end, `not within 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test('looks tell what is there, by name, in numbers, and anew', async (t) => {
  const folder = folderOf(t);
  const volume = volumeOf(t);
  const path = join(folder, 'a.bin');
  fs.writeFileSync(path, 'hello');
  fs.symlinkSync('a.bin', join(folder, 'link'));
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  const stat = fs.statSync(path, { bigint: true });
  const expected = { kind: 'file', ino: stat.ino, size: 5, mtimeNs: stat.mtimeNs, ctimeNs: stat.ctimeNs };
  assert.deepEqual(await volume.lstat(path), expected);
  assert.deepEqual(await volume.lookAnew(path), expected);
  assert.equal(await volume.lstat(join(folder, 'none')), null);
  assert.equal(await volume.lstat(join(path, 'below-a-file')), null);
  assert.equal(await volume.lookAnew(join(folder, 'none')), null);
  assert.equal((await volume.lookAnew(join(folder, 'link')))?.kind, 'symlink');
  assert.equal((await volume.lookAnew(join(folder, 'pipe')))?.kind, 'fifo');
  assert.equal((await volume.lookAnew(folder))?.kind, 'directory');

  const tooLong = 'x'.repeat(300);
  const [file, none, fault] = await volume.lstatMany(folder, ['a.bin', 'none', tooLong]);
  assert.deepEqual(file, expected);
  assert.equal(none, null);
  isVolumeError('ENAMETOOLONG', 'lstat')(fault);
  assert.deepEqual(await volume.lstatMany(folder, []), []);
});

test('a listing streams every name, and keeps what is no UTF-8 apart', async (t) => {
  const folder = folderOf(t);
  const volume = volumeOf(t);
  const names = Array.from({ length: 2_500 }, (_, index) => `file-${index}`);
  names.push('zwölf.bin', '日本語', '\ufeffwith a mark', '\ufffd', 'a\nb', 'e\u0301', 'ÿ');
  for (const name of names) fs.writeFileSync(join(folder, name), '');
  const bad = Buffer.from([0x66, 0xff, 0x66]);
  fs.writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), bad]), '');
  fs.mkdirSync(join(folder, 'sub'));
  fs.symlinkSync('nowhere', join(folder, 'link'));
  execFileSync('mkfifo', [join(folder, 'pipe')]);

  const found = await entries(volume, folder);
  const kinds = new Map(found.map((entry) => [entry.name, entry.kind]));
  assert.equal(found.length, names.length + 4);
  for (const name of names) assert.equal(kinds.get(name), 'file', name);
  assert.deepEqual(
    [kinds.get('sub'), kinds.get('link'), kinds.get('pipe')],
    ['directory', 'symlink', 'fifo'],
  );
  const nameless = found.filter((entry) => entry.name === null);
  assert.equal(nameless.length, 1);
  assert.deepEqual(nameless[0]?.raw, bad);

  fs.mkdirSync(join(folder, 'empty'));
  assert.deepEqual(await entries(volume, join(folder, 'empty')), []);
  await assert.rejects(entries(volume, join(folder, 'none')), isVolumeError('ENOENT', 'list'));
  await assert.rejects(entries(volume, join(folder, 'file-1')), isVolumeError('ENOTDIR', 'list'));
});

test('a slow reader of a listing is waited for, past the deadline, and its error ends the listing', async (t) => {
  const folder = folderOf(t);
  const volume = volumeOf(t, { threads: 1, deadlineMs: 300 });
  for (let index = 0; index < 20_000; index += 1) fs.writeFileSync(join(folder, `f${index}`), '');
  let count = 0;
  let inHand = 0;
  await volume.list(folder, async (slice) => {
    assert.equal(++inHand, 1, 'slices come one after the other');
    await new Promise((resolve) => setTimeout(resolve, count === 0 ? 500 : 1));
    count += slice.length;
    inHand -= 1;
  });
  assert.equal(count, 20_000);
  const fault = new Error('enough');
  await assert.rejects(
    volume.list(folder, () => Promise.reject(fault)),
    fault,
  );
  assert.ok(await volume.lstat(folder), 'the thread is free again');
});

test('renames, removals and folders answer what happened', async (t) => {
  const folder = folderOf(t);
  const volume = volumeOf(t);
  const [from, to] = [join(folder, 'from'), join(folder, 'to')];
  fs.writeFileSync(from, 'x');
  assert.equal(await volume.rename(from, to), 'renamed');
  assert.equal(await volume.rename(from, to), 'missing');
  assert.equal(await volume.rename(to, join(folder, 'no', 'folder')), 'missing');
  await volume.makeFolder(join(folder, 'target'));
  await assert.rejects(volume.rename(to, join(folder, 'target')), isVolumeError('EISDIR', 'rename'));
  const deep = join(folder, 'a', 'b');
  await volume.makeFolder(deep);
  await volume.makeFolder(deep);
  assert.equal(await volume.removeEmptyFolder(join(folder, 'a')), false);
  assert.equal(await volume.removeEmptyFolder(deep), true);
  assert.equal(await volume.removeEmptyFolder(deep), false);
  assert.equal(await volume.unlink(to), true);
  assert.equal(await volume.unlink(to), false);
  await assert.rejects(volume.makeFolder('/proc/none'), isVolumeError('ENOENT', 'makeFolder'));
});

test('texts are written whole, created once, and leave nothing behind', async (t) => {
  const folder = folderOf(t);
  const volume = volumeOf(t);
  const path = join(folder, 'note');
  assert.equal(await volume.readText(path), null);
  await volume.writeText(path, 'one');
  await volume.writeText(path, 'zwei ü');
  assert.equal(await volume.readText(path), 'zwei ü');
  await assert.rejects(volume.readText(path, 3), isVolumeError('EFBIG', 'readText'));
  assert.equal(await volume.createText(path, 'three'), false);
  assert.equal(await volume.readText(path), 'zwei ü');
  const made = await Promise.all(
    Array.from({ length: 20 }, (_, index) => volume.createText(join(folder, 'new'), `${index}`)),
  );
  assert.equal(made.filter(Boolean).length, 1);
  assert.equal(await volume.readText(join(folder, 'new')), String(made.indexOf(true)));
  await assert.rejects(
    volume.writeText(join(folder, 'no', 'note'), ''),
    isVolumeError('ENOENT', 'writeText'),
  );
  assert.deepEqual(fs.readdirSync(folder).sort(), ['new', 'note']);
});

test('room on the file system is told in bytes and inodes', async (t) => {
  const space = await volumeOf(t).space(folderOf(t));
  assert.ok(space.bytesTotal > 0 && space.bytesFree > 0 && space.bytesFree <= space.bytesTotal);
  assert.ok(space.inodesFree <= space.inodesTotal);
});

test('calls that hang cost a thread each, are bounded, and come back', { timeout: 60_000 }, async (t) => {
  const folder = folderOf(t);
  const calls: FileCall[] = [];
  const volume = volumeOf(t, {
    threads: 2,
    deadlineMs: 400,
    maxHung: 2,
    onCall: (call) => calls.push(call),
  });
  const hanging = Array.from({ length: 4 }, (_, index) => hangingFile(folder, `dead-${index}`));
  const read = (index: number): Promise<unknown> => volume.readText(hanging[index]?.path ?? '');

  const first = [read(0), read(1)];
  const queued = volume.lstat(folder);
  assert.equal(volume.inFlight, 3);
  for (const call of first) await assert.rejects(call, isVolumeError('ETIMEDOUT', 'readText'));
  await assert.rejects(queued, isVolumeError('ETIMEDOUT', 'lstat'));
  assert.equal(calls.filter((call) => call.error === 'ETIMEDOUT').length, 3);

  assert.ok(await volume.lstat(folder), 'two others have taken their place');
  assert.ok(volume.hungSinceMs(Date.now()) >= 400);
  assert.equal(volume.inFlight, 0);

  for (const call of [read(2), read(3)]) await assert.rejects(call, isVolumeError('ETIMEDOUT', 'readText'));
  await assert.rejects(volume.lstat(folder), /lstat of .+ failed: ETIMEDOUT, all 4 threads hang/);

  for (const { release } of hanging) release();
  await until('every thread is back', () => volume.hungSinceMs(Date.now()) === 0);
  const looks = await Promise.all(Array.from({ length: 50 }, () => volume.lstat(folder)));
  assert.ok(looks.every(Boolean));
  assert.equal(await volume.stop(), false);
});

test('stop tells of a thread that still hangs, and refuses further calls', { timeout: 60_000 }, async (t) => {
  const folder = folderOf(t);
  const volume = volumeOf(t, { deadlineMs: 200 });
  const { path, release } = hangingFile(folder, 'dead');
  await assert.rejects(volume.readText(path), isVolumeError('ETIMEDOUT', 'readText'));
  assert.equal(await volume.stop(), true);
  await assert.rejects(volume.lstat(folder), { name: 'Interrupted' });
  release();
  assert.equal(await volume.stop(), false);
});
