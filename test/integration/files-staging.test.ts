import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { StagingError, type BlockRule } from '@app/shared/domain';
import { momentIn, Staging, type Reservation, type StagedFile, type StageResult } from '@app/shared/files';
import { test, type TestContext, until } from '../support/index.js';

const MIB = 1024 * 1024;
const SESSION = '20260101/my%20session';
const blockRule: BlockRule = { maxBlockSize: 2 * MIB, maxSinglePutSize: MIB, blockMemory: 64 * MIB };
const md5 = (bytes: Uint8Array): Buffer => createHash('md5').update(bytes).digest();

interface Place {
  readonly folder: string;
  readonly root: string;
  readonly staging: Staging;
  readonly source: (name: string, bytes: Uint8Array | number) => string;
}

function placeOf(t: TestContext, options: { contentMd5?: boolean; rule?: BlockRule } = {}): Place {
  const folder = fs.mkdtempSync(join(tmpdir(), 'sluice-staging-'));
  const root = join(folder, 'staging');
  const { contentMd5 = true, rule = blockRule } = options;
  const staging = new Staging({ root, limitBytes: null, blockRule: rule, contentMd5, threads: 2 });
  staging.start();
  t.after(async () => {
    assert.equal(await staging.stop(), false);
    fs.rmSync(folder, { recursive: true, force: true });
  });
  const source = (name: string, bytes: Uint8Array | number): string => {
    const path = join(folder, name);
    if (typeof bytes === 'number') {
      fs.writeFileSync(path, '');
      fs.truncateSync(path, bytes);
    } else fs.writeFileSync(path, bytes);
    return path;
  };
  return { folder, root, staging, source };
}

/** Room that nobody accounts for, which tells when bytes were copied. */
function roomOf(onWritten: (bytes: number) => void = () => undefined): Reservation {
  return {
    bytes: Number.MAX_SAFE_INTEGER,
    get written() {
      return 0;
    },
    set written(bytes) {
      onWritten(bytes);
    },
    release: () => undefined,
  };
}

function stage(place: Place, source: string, more: Partial<Parameters<Staging['stage']>[0]> = {}) {
  const { signal } = new AbortController();
  return place.staging.stage({
    claim: null,
    source,
    folder: SESSION,
    expect: null,
    room: roomOf(),
    signal,
    ...more,
  });
}

function staged(result: StageResult): StagedFile {
  assert.equal(result.kind, 'staged');
  return result.file;
}

const left = (root: string): string[] =>
  fs.readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => !name.startsWith('.owner-'));

const stagedNames = (root: string): string[] => left(root).filter((name) => name.includes('.'));

test('a staged file holds the bytes, the digests and the identity of its source', async (t) => {
  const place = placeOf(t);
  const sizes = [0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB, 2 * MIB + 1, 4 * MIB, 5 * MIB + 17];
  await Promise.all(
    sizes.map(async (size) => {
      const bytes = randomBytes(size);
      const path = place.source(`f${size}`, bytes);
      const stat = fs.statSync(path, { bigint: true });
      const expect = { size, mtimeNs: stat.mtimeNs };
      const file = staged(await stage(place, path, { expect }));
      assert.equal(file.look.ino, stat.ino);
      assert.equal(file.look.size, size);
      assert.equal(file.look.mtimeNs, stat.mtimeNs);
      assert.deepEqual(file.md5, md5(bytes));
      const back = Buffer.alloc(size);
      await file.read(back, 0, size);
      assert.ok(back.equals(bytes));
      if (file.plan.kind === 'single') assert.equal(file.blockMd5s.length, 0);
      else
        for (let index = 0; index < file.plan.count; index += 1)
          assert.deepEqual(
            file.blockMd5s.subarray(index * 16, index * 16 + 16),
            md5(bytes.subarray(index * 2 * MIB, (index + 1) * 2 * MIB)),
          );
      assert.equal(file.plan.kind, size <= MIB ? 'single' : 'blocks');
      await file.discard();
    }),
  );
  assert.deepEqual(left(place.root), [], 'its folders go with the last file');
});

test('small files are staged over those that are through, and the last one takes all along', async (t) => {
  const place = placeOf(t, { rule: { ...blockRule, maxBlockSize: 1_000, maxSinglePutSize: 2_000 } });
  const small = async (size: number, folder = SESSION): Promise<StagedFile> => {
    const bytes = randomBytes(size);
    const path = place.source(`f${size}`, bytes);
    const { mtimeNs } = fs.statSync(path, { bigint: true });
    const file = staged(await stage(place, path, { folder, expect: { size, mtimeNs } }));
    const back = Buffer.alloc(size);
    await file.read(back, 0, size);
    assert.ok(back.equals(bytes), 'nothing of the longer file before is in it');
    assert.deepEqual(file.md5, md5(bytes));
    for (let at = 0; at < file.blockMd5s.length; at += 16)
      assert.deepEqual(
        file.blockMd5s.subarray(at, at + 16),
        md5(bytes.subarray((at / 16) * 1_000, (at / 16 + 1) * 1_000)),
      );
    return file;
  };
  const first = await small(3_500);
  const second = await small(3_400);
  const names = stagedNames(place.root);
  await first.discard();
  const third = await small(2_300);
  await second.discard();
  const fourth = await small(0);
  assert.deepEqual(stagedNames(place.root), names, 'no file was made or removed for the next ones');
  const elsewhere = await small(100, '20260102/other');
  assert.equal(stagedNames(place.root).length, 3, 'a spare file stays in its folder');

  const impossible = { from: place.source('dropped', 1), before: momentIn(60_000) };
  const expect = { size: 1, mtimeNs: 0n };
  const long = join(place.folder, 'x'.repeat(300));
  await assert.rejects(stage(place, long, { claim: impossible, expect }), /ENAMETOOLONG/);
  const fifth = await small(1);
  assert.equal(stagedNames(place.root).length, 4);
  assert.ok(
    !stagedNames(place.root).some((name) => name.endsWith('-4.staged')),
    'what a failed call may write yet is not used again',
  );
  await Promise.all([third, fourth, elsewhere, fifth].map((file) => file.discard()));
  assert.deepEqual(left(place.root), []);
});

test('a file is claimed on the way, while that is in time and its name is free', async (t) => {
  const place = placeOf(t);
  const dropped = place.source('dropped', Buffer.from('new'));
  const claimed = join(place.folder, 'claimed');
  const claim = { from: dropped, before: momentIn(60_000) };
  const late = await stage(place, claimed, { claim: { ...claim, before: momentIn(-1) } });
  assert.deepEqual(late, { kind: 'unclaimed' });
  assert.ok(fs.existsSync(dropped), 'a claim that comes too late moves nothing');
  assert.deepEqual(await stage(place, join(claimed, 'below'), { claim }), { kind: 'unclaimed' });

  const result = await stage(place, claimed, { claim });
  assert.equal(result.kind, 'staged');
  assert.ok(result.claimMs !== null && result.claimMs > 0);
  assert.equal(result.file.bytes?.toString(), 'new');
  assert.ok(!fs.existsSync(dropped) && fs.existsSync(claimed));
  await result.file.discard();

  place.source('dropped', Buffer.from('newer'));
  const first = staged(await stage(place, claimed, { claim }));
  assert.equal(first.bytes?.toString(), 'new', 'what stands there already is claimed, and never replaced');
  assert.equal(fs.readFileSync(dropped, 'utf8'), 'newer');
  await first.discard();

  fs.rmSync(dropped);
  fs.rmSync(claimed);
  fs.mkdirSync(dropped);
  place.source('dropped/half.part', Buffer.from('its producer still writes'));
  assert.deepEqual(await stage(place, claimed, { claim }), { kind: 'not-a-file', fileKind: 'directory' });
  assert.ok(fs.existsSync(join(dropped, 'half.part')), 'a folder that took its place is not claimed');
  assert.ok(!fs.existsSync(claimed));
});

test('without the whole digest, only a single put has one', async (t) => {
  const place = placeOf(t, { contentMd5: false });
  const [small, large] = [randomBytes(10), randomBytes(3 * MIB)];
  const one = staged(await stage(place, place.source('small', small)));
  const many = staged(await stage(place, place.source('large', large)));
  assert.deepEqual(one.md5, md5(small));
  assert.equal(many.md5, null);
  assert.deepEqual(many.blockMd5s.subarray(0, 16), md5(large.subarray(0, 2 * MIB)));
  await Promise.all([one.discard(), many.discard()]);
});

test('a staged file is read by parts, and never once it is discarded', async (t) => {
  const place = placeOf(t);
  const bytes = randomBytes(3 * MIB);
  const file = staged(await stage(place, place.source('a', bytes)));
  const part = Buffer.alloc(1_000);
  await file.read(part, 2 * MIB, 1_000);
  assert.deepEqual(part, bytes.subarray(2 * MIB, 2 * MIB + 1_000));
  await assert.rejects(file.read(part, 3 * MIB - 10, 11), { name: 'StagingError', code: 'ESHORT' });
  const reading = file.read(part, 0, 1_000);
  await Promise.all([file.discard(), file.discard(), reading]);
  assert.deepEqual(part, bytes.subarray(0, 1_000), 'what was under way was waited for');
  await assert.rejects(file.read(part, 0, 1), { name: 'StagingError', code: 'EBADF' });
  assert.deepEqual(left(place.root), []);
});

test('what is no plain file is told apart, and never opened for good', { timeout: 60_000 }, async (t) => {
  const place = placeOf(t);
  const at = (name: string): string => join(place.folder, name);
  fs.mkdirSync(at('folder'));
  fs.symlinkSync(place.source('plain', 1), at('link'));
  execFileSync('mkfifo', [at('pipe')]);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(at('socket'), resolve));
  t.after(() => server.close());
  const kinds = { folder: 'directory', link: 'symlink', pipe: 'fifo', socket: 'socket' };
  for (const [name, fileKind] of Object.entries(kinds))
    assert.deepEqual(await stage(place, at(name)), { kind: 'not-a-file', fileKind });
  assert.deepEqual(await stage(place, at('none')), { kind: 'missing' });
  assert.deepEqual(await stage(place, join(at('plain'), 'below')), { kind: 'missing' });
  assert.deepEqual(left(place.root), []);
});

test('a file that needs larger blocks than there is memory for is refused with the numbers', async (t) => {
  const place = placeOf(t, { rule: { maxBlockSize: 1_000, maxSinglePutSize: 0, blockMemory: 1_000 } });
  const result = await stage(place, place.source('huge', 100 * MIB));
  assert.equal(result.kind, 'too-large');
  assert.match(result.why, /104857600 bytes need blocks of .+ over APP_BLOCK_MEMORY \(1000\)/);
  assert.deepEqual(left(place.root), []);
});

test('a file that is not as it was last seen is not copied', async (t) => {
  const place = placeOf(t);
  const path = place.source('a', randomBytes(100));
  const { mtimeNs } = fs.statSync(path, { bigint: true });
  const grown = await stage(place, path, { expect: { size: 90, mtimeNs } });
  assert.equal(grown.kind, 'changed');
  assert.equal(grown.why, 'its size changed from 90 to 100 bytes');
  const touched = await stage(place, path, { expect: { size: 100, mtimeNs: mtimeNs - 1n } });
  assert.equal(touched.kind, 'changed');
  assert.equal(touched.why, 'its modification time changed');
  assert.deepEqual(left(place.root), []);
});

const changes: Record<string, (path: string) => void> = {
  'grows by one byte': (path) => fs.appendFileSync(path, 'x'),
  shrinks: (path) => fs.truncateSync(path, MIB),
  'is written in place': (path) => {
    const descriptor = fs.openSync(path, 'r+');
    fs.writeSync(descriptor, 'changed', 0);
    fs.closeSync(descriptor);
  },
};
for (const [what, change] of Object.entries(changes))
  test(`a source that ${what} while it is staged is noticed, and nothing is left of it`, async (t) => {
    const place = placeOf(t);
    const path = place.source('a', 128 * MIB);
    let changed = false;
    const room = roomOf(() => {
      if (changed) return;
      changed = true;
      change(path);
    });
    const result = await stage(place, path, { room });
    assert.ok(changed);
    assert.equal(result.kind, 'changed');
    assert.match(result.why, /its size changed|its modification time changed|bytes could be read instead of/);
    assert.deepEqual(stagedNames(place.root), []);
  });

test(
  "folders that come and go with their last file are in nobody else's way",
  { timeout: 60_000 },
  async (t) => {
    const place = placeOf(t);
    const path = place.source('small', randomBytes(100));
    const expect = { size: 100, mtimeNs: fs.statSync(path, { bigint: true }).mtimeNs };
    const mover = async (more: { expect?: typeof expect }): Promise<void> => {
      for (let count = 0; count < 1_500; count += 1) await staged(await stage(place, path, more)).discard();
    };
    await Promise.all([mover({}), mover({ expect }), mover({ expect })]);
    assert.deepEqual(left(place.root), []);
  },
);

test('an abort stops the copy, leaves nothing, and frees the thread', async (t) => {
  const place = placeOf(t);
  const path = place.source('a', 128 * MIB);
  const stopping = new AbortController();
  const room = roomOf(() => stopping.abort());
  await assert.rejects(stage(place, path, { room, signal: stopping.signal }), { name: 'Interrupted' });
  await until('the copy is removed', () => stagedNames(place.root).length === 0);
  await assert.rejects(stage(place, path, { signal: stopping.signal }), { name: 'Interrupted' });
  await staged(await stage(place, place.source('b', 10))).discard();
});

test('an error of the local disk is told from one of the volume', async (t) => {
  const place = placeOf(t);
  fs.mkdirSync(join(place.root, dirname(SESSION)), { recursive: true });
  fs.writeFileSync(join(place.root, SESSION), 'a file where the folder must be');
  await assert.rejects(stage(place, place.source('a', 10)), (error) => {
    assert.ok(error instanceof StagingError);
    assert.match(error.message, /^open of a failed: E(NOTDIR|EXIST)$/);
    return true;
  });
  const impossible = new Staging({ root: '/proc/none', limitBytes: null, blockRule, contentMd5: true });
  assert.throws(() => impossible.start(), /APP_LOCAL_STAGING_ROOT \/proc\/none is not usable/);
});
