import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Volume, type Entry, type FileCall, type FolderLook, type VolumeOptions } from '@app/shared/files';
import { sameFile, VolumeError } from '@app/shared/domain';
import { until } from '../support/until.js';
import { test, type TestContext } from '../support/index.js';

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

interface Dead {
  readonly folder: string;
  readonly volume: Volume;
  /** Files whose reading hangs in the kernel, as on a mount whose server is away. */
  readonly files: readonly string[];
  /** Lets every hung call go on. */
  readonly release: () => Promise<void>;
}

/** FIFOs that nobody writes to. They are released whatever happens: no process can end while a thread hangs. */
function deadMount(t: TestContext, files: number, options: VolumeOptions): Dead {
  const folder = fs.mkdtempSync(join(tmpdir(), 'sluice-files-'));
  const volume = new Volume(options);
  const names = Array.from({ length: files }, (_, index) => join(folder, `dead-${index}`));
  for (const name of names) execFileSync('mkfifo', [name]);
  const release = async (): Promise<void> => {
    await until('every thread is back', () => {
      // again and again: a thread may reach its call only after the first time
      for (const name of names)
        fs.closeSync(fs.openSync(name, fs.constants.O_RDWR | fs.constants.O_NONBLOCK));
      return volume.hungSinceMs(Date.now()) === 0;
    });
  };
  t.after(async () => {
    await release();
    await volume.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  });
  return { folder, volume, files: names, release };
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
  // long enough for a slice on a busy machine; the reader takes longer once
  const volume = volumeOf(t, { threads: 1, deadlineMs: 3000 });
  for (let index = 0; index < 20_000; index += 1) fs.writeFileSync(join(folder, `f${index}`), '');
  let count = 0;
  let inHand = 0;
  await volume.list(folder, async (slice) => {
    assert.equal(++inHand, 1, 'slices come one after the other');
    await new Promise((resolve) => setTimeout(resolve, count === 0 ? 4000 : 1));
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
  const look = await volume.lookAnew(from);
  assert.ok(look);
  const touched = { ...look, ctimeNs: look.ctimeNs - 1n };
  const changed = await volume.setAside(from, to, touched);
  assert.deepEqual(changed, { kind: 'changed', look, aside: false }, 'nothing was done');
  assert.deepEqual(await volume.setAside(from, to, look), { kind: 'aside' });
  assert.deepEqual(await volume.setAside(from, to, look), { kind: 'missing' });
  const there = await volume.lookAnew(to);
  assert.ok(there && sameFile(there, look));
  assert.deepEqual(await volume.setAside(to, join(folder, 'no', 'folder'), there), { kind: 'missing' });
  await volume.makeFolder(join(folder, 'target'));
  await assert.rejects(
    volume.setAside(to, join(folder, 'target'), there),
    isVolumeError('EISDIR', 'setAside'),
  );
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

test('a rename onto a name that should be free replaces nothing', async (t) => {
  const folder = folderOf(t);
  const volume = volumeOf(t);
  const [from, to] = [join(folder, 'from'), join(folder, 'to')];
  fs.writeFileSync(from, 'newer');
  fs.writeFileSync(to, 'older');
  assert.equal(await volume.renameToFree(from, to), 'taken');
  assert.equal(fs.readFileSync(to, 'utf8'), 'older');
  assert.equal(fs.readFileSync(from, 'utf8'), 'newer');
  fs.rmSync(to);
  assert.equal(await volume.renameToFree(from, to), 'renamed');
  assert.equal(await volume.renameToFree(from, to), 'taken');
  fs.rmSync(to);
  assert.equal(await volume.renameToFree(from, to), 'missing');
  assert.equal(await volume.renameToFree(from, join(folder, 'no', 'folder')), 'missing');
  assert.equal(await volume.renameToFree(join(folder, 'none', 'x'), to), 'missing');
  // a file where a folder should be, and a folder where a file should be
  fs.writeFileSync(from, 'newer');
  fs.writeFileSync(to, 'a file');
  assert.equal(await volume.renameToFree(from, join(to, 'x')), 'missing');
  assert.equal(await volume.renameToFree(join(to, 'x'), join(folder, 'y')), 'missing');
  await assert.rejects(volume.makeFolder(to), isVolumeError('ENOTDIR', 'makeFolder'));
  await assert.rejects(volume.makeFolder(join(to, 'x', 'y')), isVolumeError('ENOTDIR', 'makeFolder'));
  assert.equal(await volume.unlink(join(to, 'x')), false);
  assert.equal(await volume.removeEmptyFolder(to), false);
  fs.rmSync(to);
  fs.mkdirSync(join(to, 'inside'), { recursive: true });
  assert.equal(await volume.renameToFree(from, to), 'folder');
  fs.rmSync(to, { recursive: true });
  // a dangling symlink is something, too
  fs.writeFileSync(from, 'newer');
  fs.symlinkSync('nowhere', to);
  assert.equal(await volume.renameToFree(from, to), 'taken');
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
  const calls: FileCall[] = [];
  const { folder, volume, files, release } = deadMount(t, 4, {
    threads: 2,
    deadlineMs: 2_000,
    maxHung: 2,
    onCall: (call) => calls.push(call),
  });
  const read = (file = ''): Promise<unknown> => volume.readText(file);
  const timedOut = isVolumeError('ETIMEDOUT', 'readText');

  const first = files.slice(0, 2).map(read);
  const queued = volume.lstat(folder);
  assert.equal(volume.inFlight, 3);
  await Promise.all(first.map((call) => assert.rejects(call, timedOut)));
  await assert.rejects(queued, isVolumeError('ETIMEDOUT', 'lstat'));
  assert.equal(calls.filter((call) => call.error === 'ETIMEDOUT').length, 3);

  assert.ok(await volume.lstat(folder), 'two others have taken their place');
  assert.ok(volume.hungSinceMs(Date.now()) >= 1_900);
  assert.equal(volume.inFlight, 0);

  await Promise.all(files.slice(2).map((file) => assert.rejects(read(file), timedOut)));
  await assert.rejects(volume.lstat(folder), /lstat of .+ failed: ETIMEDOUT, all 4 threads hang/);

  await release();
  const looks = await Promise.all(Array.from({ length: 50 }, () => volume.lstat(folder)));
  assert.ok(looks.every(Boolean));
  assert.equal(await volume.stop(), false);
});

test('a name is looked up while every call on the volume hangs', { timeout: 60_000 }, async (t) => {
  const { volume, files } = deadMount(t, 8, { threads: 8, deadlineMs: 5_000, maxHung: 0 });
  const hanging = files.map((file) =>
    assert.rejects(volume.readText(file), isVolumeError('ETIMEDOUT', 'readText')),
  );
  // both need Node's own threads, of which there are four
  assert.ok((await lookup('localhost')).address);
  assert.ok((await fs.promises.stat(tmpdir())).isDirectory());
  assert.equal(volume.inFlight, files.length);
  await Promise.all(hanging);
});

test('stop tells of a thread that still hangs, and refuses further calls', { timeout: 60_000 }, async (t) => {
  const { folder, volume, files, release } = deadMount(t, 1, { deadlineMs: 500 });
  await assert.rejects(volume.readText(files[0] ?? ''), isVolumeError('ETIMEDOUT', 'readText'));
  assert.equal(await volume.stop(), true);
  await assert.rejects(volume.lstat(folder), { name: 'Interrupted' });
  await release();
  assert.equal(await volume.stop(), false);
});

test('a folder is looked at without its entries, and removed only if it is empty and still the one that was looked at', async (t) => {
  const [folder, volume] = [folderOf(t), volumeOf(t)];
  const path = (name: string) => join(folder, name);
  for (const name of ['empty', 'full', 'anew']) fs.mkdirSync(path(name));
  fs.writeFileSync(path('full/.dot'), '');
  fs.symlinkSync(path('empty'), path('link'));
  execFileSync('mkfifo', [path('fifo')]);
  const look = async (name: string): Promise<FolderLook> => {
    const [found] = await volume.lookAtFolders(folder, [name]);
    if (!found || found instanceof Error) throw found ?? new Error(`${name} is no folder`);
    return found;
  };
  const names = ['link', 'fifo', 'full/.dot', 'full/.dot/below', 'gone'];
  assert.deepEqual(
    await volume.lookAtFolders(folder, names),
    names.map(() => null),
  );
  const [one, whole] = [fs.statSync(path('empty'), { bigint: true }), await look('')];
  assert.deepEqual(await look('empty'), {
    dev: one.dev,
    ino: one.ino,
    mtimeNs: one.mtimeNs,
    ctimeNs: one.ctimeNs,
  });
  assert.equal(whole.ino, fs.statSync(folder, { bigint: true }).ino);

  assert.equal(await volume.removeOldFolder(path('full'), await look('full')), false);
  // changed since, or another one of its name
  const before = await look('anew');
  for (const other of [{ mtimeNs: 0n }, { ctimeNs: 0n }, { ino: 0n }, { dev: 0n }])
    assert.equal(await volume.removeOldFolder(path('anew'), { ...before, ...other }), false);
  assert.equal(await volume.removeOldFolder(path('gone'), before), false);
  assert.equal(await volume.removeOldFolder(path('link'), await look('empty')), false);
  assert.deepEqual(fs.readdirSync(folder).sort(), ['anew', 'empty', 'fifo', 'full', 'link']);
  assert.equal(await volume.removeOldFolder(path('empty'), await look('empty')), true);
  assert.deepEqual(fs.readdirSync(folder).sort(), ['anew', 'fifo', 'full', 'link']);
});
