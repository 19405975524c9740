import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Aside } from '../../apps/scanner/aside.js';
import { ScanWindow } from '../../apps/scanner/scan-window.js';
import { test } from '../support/index.js';

/** What becomes of a file: it rests, it grows for ever, it is too young for ever, or it rests and cannot be opened. */
type Kind = 'rests' | 'grows' | 'young' | 'closed';

/** A drop folder of which the window is asked scan by scan; what rests and is opened leaves it, at most `room` a scan. */
class Folder {
  readonly aside = new Aside();
  readonly looksAt = new Map<string, number>();
  readonly taken: string[] = [];
  private inARow = new Map<string, number>();

  constructor(
    readonly files: Map<string, Kind>,
    private readonly room: number,
  ) {}

  scan(): void {
    const { aside, files } = this;
    const window = new ScanWindow(2 * this.room, aside);
    for (const name of files.keys()) window.offer(name);
    const names = window.names();
    assert.equal(new Set(names).size, names.length, 'no name twice');
    assert.equal(names.length, Math.min(2 * this.room, files.size), 'no slot more, none left empty');
    const inARow = new Map<string, number>();
    let left = this.room;
    for (const name of names.sort()) {
      this.looksAt.set(name, (this.looksAt.get(name) ?? 0) + 1);
      const looks = (this.inARow.get(name) ?? 0) + 1;
      inARow.set(name, looks);
      const second = looks > 1 || aside.has(name);
      const kind = files.get(name);
      if (!second || kind === 'grows' || kind === 'young')
        aside.restless(name, { observation: null, looks }, second && kind === 'grows');
      else if (kind === 'closed') aside.put(name, null, true);
      else if (left-- > 0) this.taken.push(name);
      else aside.delete(name);
    }
    for (const name of this.taken) {
      files.delete(name);
      aside.delete(name);
    }
    this.inARow = inARow;
  }
}

const NAMES = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 6 }), { maxLength: 120 });
const KINDS = fc.infiniteStream(fc.constantFrom<Kind>('rests', 'grows', 'young', 'closed'));

test('whatever stands before them, files at rest are taken, and whatever waits is looked at again', () => {
  fc.assert(
    fc.property(NAMES, KINDS, fc.integer({ min: 1, max: 8 }), (names, kinds, room) => {
      const all = new Map(names.map((name): [string, Kind] => [name, kinds.next().value as Kind]));
      const folder = new Folder(new Map(all), room);
      // five looks at most for each slot, and every slot is used
      const scans = 6 * Math.ceil(names.length / room) + 6;
      for (let i = 0; i < scans; i++) folder.scan();
      const resting = names.filter((name) => all.get(name) === 'rests');
      assert.deepEqual([...folder.taken].sort(), resting.sort());
      const before = new Map(folder.looksAt);
      for (let i = 0; i < scans; i++) folder.scan();
      for (const name of folder.files.keys())
        assert.ok((folder.looksAt.get(name) ?? 0) > (before.get(name) ?? 0), `${name} is come back to`);
    }),
  );
});

test('files that all rest are taken in the order of their names', () => {
  fc.assert(
    fc.property(NAMES, fc.integer({ min: 1, max: 8 }), (names, room) => {
      const folder = new Folder(new Map(names.map((name) => [name, 'rests'])), room);
      for (let i = 0; i < 2 * names.length + 2; i++) folder.scan();
      assert.deepEqual(folder.taken, [...names].sort());
    }),
  );
});

test('the window forgets a name that is gone, and names the ones that cannot be opened', () => {
  const aside = new Aside();
  aside.put('gone', null, true);
  aside.put('here', null, true);
  aside.put('young', null);
  const window = new ScanWindow(1, aside);
  for (const name of ['young', 'here']) window.offer(name);
  assert.deepEqual(window.names(), ['here']);
  assert.deepEqual(window.notThisTime(['here']), ['young']);
  assert.deepEqual(aside.unreadable(), ['here']);
});
