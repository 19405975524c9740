import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { reasonFileName, removingName } from '@app/shared/domain';
import { seen, test, TestContext, until, World } from '../support/index.js';

/** The user of the image. */
const UID = 10_001;
const OLD = new Date('2026-01-01');

/** A world of processes without root's rights, and what root puts onto its volume. */
class Foreign {
  private constructor(readonly world: World) {}

  static async make(t: TestContext): Promise<Foreign> {
    const env = { APP_SCAN_DEPTH: '2', APP_EMPTY_FOLDER_AGE_S: '1' };
    return new Foreign(await World.make(t, { uid: UID, env }));
  }

  /** A folder, and those above it, of Sluice's user. */
  ownFolder(path: string): string {
    mkdirSync(path, { recursive: true });
    for (let at = path; at.startsWith(`${this.world.volume}/`); at = dirname(at)) chownSync(at, UID, UID);
    return path;
  }

  /** A file of Sluice's user that was not touched for long. */
  ownFile(path: string, text = 'some bytes'): string {
    this.ownFolder(dirname(path));
    writeFileSync(path, text);
    chownSync(path, UID, UID);
    utimesSync(path, OLD, OLD);
    return path;
  }

  /** Makes an entry root's; a folder is made where there is none. */
  rootsOwn(path: string, mode: number): string {
    if (!existsSync(path)) mkdirSync(path);
    chownSync(path, 0, 0);
    chmodSync(path, mode);
    return path;
  }

  /** Waits until a path is in a sentence of `problems`, or in none. */
  async blocked(path: string, wanted = true): Promise<void> {
    await until(`${path} ${wanted ? 'waits' : 'waits no more'}`, async () => {
      const problems: string[] = (await this.world.status()).problems;
      if (problems.some((sentence) => sentence.includes(`${path} may not be touched`)) === wanted)
        return true;
      throw new Error(JSON.stringify(problems));
    });
  }

  /** Drops a file and waits until it is done. */
  async goesOn(name: string): Promise<void> {
    this.ownFile(join(this.world.incoming, name));
    await until(`${name} is done`, async () => {
      const { text, body } = await this.world.api(`/v1/files/${name}`);
      if (body?.state === 'done') return true;
      throw new Error(`${text} ${JSON.stringify((await this.world.status()).problems)}`);
    });
  }
}

/** Entries that may not be touched: each is made, and answers the path that is to be named. */
const KINDS: Readonly<Record<string, (foreign: Foreign) => string>> = {
  'an empty folder in a folder of root under .processing': (f) => {
    const path = f.ownFolder(join(f.world.processing, '20260101/one'));
    f.rootsOwn(dirname(path), 0o755);
    return path;
  },
  'a closed session folder under .failed': (f) =>
    f.rootsOwn(join(f.ownFolder(join(f.world.failed, '20260102')), 'one'), 0o700),
  'a closed session folder under .processing': (f) =>
    f.rootsOwn(join(f.ownFolder(join(f.world.processing, '20260103')), 'one'), 0o700),
  "a closed folder below a session's under .processing": (f) =>
    f.rootsOwn(join(f.ownFolder(join(f.world.processing, '20260110/one/a')), 'b'), 0o700),
  'a closed date folder': (f) => f.rootsOwn(join(f.world.failed, '20260104'), 0o700),
  'an immutable left-over of a removal': (f) =>
    immutable(f.ownFile(join(f.world.processing, '20260105/one', removingName('left.bin', '0123abcd')))),
  'a left-over in a folder in which nothing may be renamed': (f) => {
    const path = f.ownFile(join(f.world.processing, '20260106/one', removingName('left2.bin', '0123abcd')));
    f.rootsOwn(dirname(path), 0o755);
    return path;
  },
  'a left-over that may be listed and not looked at': (f) => {
    const path = f.ownFile(join(f.world.processing, '20260107/one', removingName('left3.bin', '0123abcd')));
    f.rootsOwn(dirname(path), 0o744);
    return path;
  },
  'a reason that may not be read': (f) => {
    const file = f.ownFile(join(f.world.failed, '20260108/one/bad.bin'));
    const reason = f.ownFile(join(dirname(file), reasonFileName('bad.bin')), '{}');
    return f.rootsOwn(reason, 0o600);
  },
  'an old reason without its file that may not be removed': (f) =>
    immutable(f.ownFile(join(f.world.failed, '20260109/one', reasonFileName('gone.bin')), '{}')),
  'a closed folder below the drop folder': (f) =>
    f.rootsOwn(join(f.ownFolder(join(f.world.incoming, 'open')), 'closed'), 0o700),
  'an empty folder below the drop folder that may not be removed': (f) => {
    const path = f.ownFolder(join(f.world.incoming, 'roots/empty'));
    f.rootsOwn(dirname(path), 0o755);
    return path;
  },
  'an old short-lived file that may not be removed': (f) =>
    immutable(f.ownFile(join(f.world.processing, '.sluice-tmp-1-old'))),
};

function immutable(path: string): string {
  execFileSync('chattr', ['+i', path]);
  return path;
}

function release(path: string): void {
  if (!existsSync(path)) return;
  execFileSync('chattr', ['-i', path]);
  rmSync(path, { recursive: true, force: true });
}

describe('one entry that may not be touched waits alone, with its whole path in problems; every other file goes on', () => {
  const all = new TestContext('one entry that may not be touched');
  let foreign: Foreign;
  let files = 0;
  beforeAll(async () => {
    foreign = await Foreign.make(all);
    await foreign.world.startSession('blocked');
  });
  afterAll(() => all.end());

  for (const [kind, make] of Object.entries(KINDS))
    test(kind, async (t) => {
      const path = make(foreign);
      t.after(() => release(path));
      await foreign.blocked(path);
      await foreign.goesOn(`good-${++files}.bin`);
      assert.ok(existsSync(path));
      release(path);
      await foreign.blocked(path, false);
    });

  test('and what is quarantined beside them stays so', async (t) => {
    const { body } = await foreign.world.api('/v1/files/bad.bin');
    assert.equal(body.state, 'failed');
    assert.equal(files, Object.keys(KINDS).length);
    seen(t, {
      fault: 'one entry of the volume may not be touched',
      injected: 'folders and files of root, chattr +i; another user',
      promised: 'that entry alone waits and is named, the rest goes on',
      files,
    });
  });
});

test('of many entries that may not be touched the first are named and the others counted', async (t) => {
  const foreign = await Foreign.make(t);
  const { world } = foreign;
  for (let i = 10; i < 30; i++) foreign.rootsOwn(join(world.failed, `202601${i}`), 0o700);
  await world.startSession('many');
  await until('they are counted', async () => {
    const { problems } = await world.status();
    const named = problems.filter((sentence: string) => sentence.includes(' may not be touched ('));
    if (named.length === 3 && problems.some((sentence: string) => sentence.includes('17 more entries')))
      return true;
    throw new Error(JSON.stringify(problems));
  });
  await foreign.goesOn('good.bin');
});

test('where the roots refuse the same, the volume is away: nothing is blamed on an entry, and all goes on afterwards', async (t) => {
  const foreign = await Foreign.make(t);
  const { world } = foreign;
  const path = KINDS['an empty folder in a folder of root under .processing']!(foreign);
  await foreign.blocked(path);
  chmodSync(world.failed, 0o555);
  await until('the volume fails', async () => {
    const { problems } = await world.status();
    if (problems.some((sentence: string) => sentence.includes('the shared volume fails'))) return true;
    throw new Error(JSON.stringify(problems));
  });
  chmodSync(world.failed, 0o755);
  await world.startSession('again');
  await foreign.goesOn('good.bin');
  assert.equal((await world.status()).processed_err, 0);
});
