import assert from 'node:assert/strict';
import fc from 'fast-check';
import { folderOf } from '@app/shared/domain';
import { KINDS, type Entry } from '@app/shared/files';
import { ignoredBy } from '../../apps/scanner/ignored.js';
import { heldFor, Namesakes } from '../../apps/scanner/namesakes.js';
import { FolderContent, KnownFolders } from '../../apps/scanner/tree/known-folders.js';
import { test } from '../support/index.js';

const part = fc.constantFrom('a', 'b', 'c', 'A', 'a-1', '文');
const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));

test('names wait for each other where one is a folder of the other, and for nothing else', () => {
  fc.assert(
    fc.property(fc.uniqueArray(path), fc.uniqueArray(path), path, (names, through, name) => {
      const namesakes = new Namesakes();
      namesakes.trees = true;
      namesakes.add(names);
      for (const one of through) namesakes.remove(one);
      const left = names.filter((one) => !through.includes(one));
      const expected = left.filter((one) => one.startsWith(`${name}/`) || name.startsWith(`${one}/`));
      assert.deepEqual(namesakes.of(name).sort(), expected.sort());
      assert.deepEqual(namesakes.all().sort(), left.sort());
    }),
  );
});

test('on a volume that folds names their folders are folded too', () => {
  const namesakes = new Namesakes();
  [namesakes.trees, namesakes.folds] = [true, true];
  namesakes.add(['Lab/Run']);
  assert.deepEqual(namesakes.of('lab/run/x.bin'), ['Lab/Run']);
  assert.deepEqual(namesakes.of('LAB'), ['Lab/Run']);
  assert.deepEqual(namesakes.of('lab/RUN'), ['Lab/Run']);
  assert.deepEqual(namesakes.of('Lab/Run'), [], 'the name itself is the business of its job');
  assert.match(heldFor('lab/RUN', 'Lab/Run'), /takes its name for "Lab\/Run"/);
  assert.match(heldFor('LAB', 'Lab/Run'), /a file and a folder of one name/);
});

test('nothing is remembered where no name can be in the way of another', () => {
  const namesakes = new Namesakes();
  namesakes.add(['a', 'b']);
  assert.deepEqual(namesakes.all(), []);
});

test('a pattern is matched against the last part of a name, or against the whole path where it holds a slash', () => {
  const ignored = ignoredBy(['*.part', '.~*', 'raw/*', 'x/**/y.bin']);
  for (const yes of [
    'a.part',
    'd/a.part',
    'd/e/a.part',
    'd.part',
    'd/.~lock',
    'raw/a',
    'x/y.bin',
    'x/1/2/y.bin',
  ])
    assert.ok(ignored(yes), yes);
  for (const no of ['a.bin', 'a.part/b', 'raw', 'raw/a/b', 'd/raw/a', 'y.bin', 'x/1/z.bin'])
    assert.ok(!ignored(no), no);
  assert.ok(!ignoredBy([])('a'));
});

const entry = fc.oneof(
  fc.record({
    name: fc.string({ unit: 'binary', minLength: 1 }).filter((name) => !/[/\0]/.test(name)),
    kind: fc.constantFrom(...KINDS),
  }),
  fc.constant<Entry>({ name: null, raw: Buffer.from([0xff]), kind: 'file' }),
);

test('what is remembered of a folder is what was listed, slice by slice', () => {
  fc.assert(
    fc.property(fc.array(fc.array(entry)), (slices) => {
      const content = new FolderContent();
      for (const slice of slices) content.add(slice);
      const all = slices.flat() as Entry[];
      const named = all.flatMap(({ name, kind }) => (name === null ? [] : [[name, kind, '']]));
      const garbled = all.flatMap(({ name }) => (name === null ? [[null, 'unknown', '\ufffd']] : []));
      assert.deepEqual([...content], [...named, ...garbled]);
      assert.equal(content.count, all.length);
      const unknown = named.flatMap(([name, kind]) => (kind === 'unknown' ? [name] : []));
      assert.deepEqual(content.unknown(), unknown);
      content.learn(new Map(unknown.map((name) => [name as string, 'file' as const])));
      assert.deepEqual(content.unknown(), []);
      assert.equal(content.count, all.length);
    }),
  );
});

test('folders that a scan has not come to are forgotten, and so is what would take too much memory', () => {
  const known = new KnownFolders();
  const look = { dev: 1n, ino: 1n, mtimeNs: 1n, ctimeNs: 1n };
  const folder = (names: number) => {
    const content = new FolderContent();
    for (let i = 0; i < names; i++) content.add([{ name: 'n'.repeat(255), kind: 'file' }]);
    return { look, since: 0, content, settled: true };
  };
  known.begin();
  for (const path of ['', 'a', 'a/b']) known.keep(path, folder(1));
  assert.equal(known.before('a'), undefined, 'a scan that fails has changed nothing');
  known.end();
  known.begin();
  for (const path of ['', 'a']) known.keep(path, known.before(path) ?? folder(1));
  known.end();
  assert.equal(known.before('a/b'), undefined);
  assert.ok(known.before('a')?.settled);
  const other = new KnownFolders();
  other.startFrom(known);
  assert.equal(other.before('a'), known.before('a'));
  other.clear();
  assert.ok(known.before('a'), 'another walk forgets for itself alone');
  known.doubt(folderOf('a/x.bin'));
  assert.equal(known.before('a'), undefined);

  known.begin();
  const large = folder(1_000);
  let kept = 0;
  for (let i = 0; i < 200; i++) {
    known.keep(`d${i}`, large);
    kept += Number(known.now(`d${i}`)?.content.count);
  }
  assert.ok(kept > 100_000 && kept < 200_000, `${kept} names are remembered`);
  assert.deepEqual([known.now('d199')?.settled, known.now('d199')?.look], [false, look]);
});
