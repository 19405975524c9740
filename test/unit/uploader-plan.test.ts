import assert from 'node:assert/strict';
import { StorageSharedKeyCredential } from '@azure/storage-blob';
import fc from 'fast-check';
import { blobName, encodeSession, fileNameFault, planUpload, StoreError } from '@app/shared/domain';
import { WaysOut } from '@app/shared/network';
import { BlobStore } from '../../apps/uploader/blob-store/blob-store.js';
import { openContainer } from '../../apps/uploader/blob-store/pipeline.js';
import { moveFile } from '../../apps/uploader/move-file.js';
import { Planner, type PlannedFile } from '../../apps/uploader/plan.js';
import type { Run, Tools } from '../../apps/uploader/run.js';
import { test } from '../support/index.js';

const RULE = { maxBlockSize: 1024, maxSinglePutSize: 4096, blockMemory: 1024 * 1024 };
const ACCOUNT = 'https://account.blob.core.windows.net';
const waysOut = new WaysOut({ https: null, http: null, except: [] }, { sockets: 1, idleMs: 1 });
const credential = new StorageSharedKeyCredential('account', 'a2V5');
const digests = new WeakMap();
// never asked: only what it makes of a name
const store = new BlobStore(openContainer(ACCOUNT, 'ingest', credential, digests, waysOut), digests);

/** What may stand in a drop folder, much of it odd. */
const part = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '.',
        '..',
        '\\',
        ' ',
        '%2e',
        '%',
        '?',
        '#',
        '~',
        '\n',
        '\u007f',
        '\ufffe',
        '\u202e',
        'é',
        '👩‍🚀',
      ),
      fc.string({ unit: 'grapheme', maxLength: 3 }),
    ),
    { minLength: 1, maxLength: 6 },
  )
  .map((pieces) => pieces.join('').replaceAll('/', '_').replaceAll('\0', '_'));
const long = fc.integer({ min: 1, max: 255 }).map((length) => 'x'.repeat(length));
const filename = fc
  .array(fc.oneof({ weight: 4, arbitrary: part }, long), { minLength: 1, maxLength: 6 })
  .map((parts) => parts.join('/'))
  .filter((name) => fileNameFault(name) === null);
const session = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  .filter((name) => {
    try {
      return encodeSession(name) !== '';
    } catch {
      return false;
    }
  })
  .map((name) => ({ datePrefix: '20260131', encodedSession: encodeSession(name) }));
const size = fc.oneof(
  fc.constantFrom(0, 4096, 4097, 50_000 * 1024, 50_000 * 1024 + 1, 50_000 * 1024 * 1024 + 1),
  fc.maxSafeNat(),
);

/** What the move makes of a name before anything is touched: its quarantine, or null where it goes on. */
async function refusedByMove(run: Pick<Run, 'session' | 'filename'>): Promise<string | null> {
  const reached = new Error('the move goes on');
  const step = () => Promise.reject(reached);
  const whole = { ...run, blob: blobName(run.session, run.filename), step } as unknown as Run;
  try {
    const { outcome } = await moveFile(whole, { store } as unknown as Tools);
    assert.ok(outcome.kind === 'quarantine');
    return `${outcome.code}: ${outcome.why}`;
  } catch (error) {
    if (error !== reached) throw error;
    return null;
  }
}

/** What staging makes of a size. */
function refusedByStaging(bytes: number): string | null {
  try {
    planUpload(bytes, RULE);
    return null;
  } catch (error) {
    assert.ok(error instanceof Error);
    return `${error.name}: ${error.message}`;
  }
}

test('a plan refuses what the move refuses, with the same words, and gives the URL that the move uses', async () => {
  const state = fc.constantFrom<'there' | 'absent' | 'away' | 'closed'>('there', 'absent', 'away', 'closed');
  await fc.assert(
    fc.asyncProperty(session, filename, size, state, async (session, filename, size, state) => {
      const properties = () =>
        state === 'away'
          ? Promise.reject(new StoreError('ServerBusy', 'outage', 'busy'))
          : Promise.resolve(state === 'there' ? { etag: '1', size: 1 } : null);
      const planner = new Planner(
        {
          url: (...of) => store.url(...of),
          properties,
          // more than one answer holds
          namesUnder: () => Promise.resolve(null),
        },
        RULE,
        () => (state === 'closed' ? 'the store is away' : null),
      );
      const key = `${session.datePrefix}/${session.encodedSession}`;
      const { files, note } = await planner.answer(
        { files: [{ session: key, filename, size }] },
        new AbortController().signal,
      );
      const refused = await refusedByMove({ session, filename });
      const says = { there: true, absent: false, away: null, closed: null }[state];
      const wanted: PlannedFile =
        refused === null
          ? { url: store.url(session, filename), exists: says, fault: refusedByStaging(size) }
          : { url: null, exists: false, fault: refused };
      assert.deepEqual(files, [wanted]);
      if (refused === null) assert.equal(note === null, says !== null);
    }),
    {
      numRuns: 1_000,
      examples: [
        [{ datePrefix: '20260131', encodedSession: 's' }, 'a./b', 1, 'there'],
        [{ datePrefix: '20260131', encodedSession: 's' }, `${'x'.repeat(250)}/`.repeat(4) + 'y', 1, 'absent'],
      ],
    },
  );
});

test('a question for a plan that cannot be read is refused, and no file of it asked after', async () => {
  const planner = new Planner(store, RULE, () => null);
  const { signal } = new AbortController();
  for (const files of [
    undefined,
    5,
    [null],
    [{ session: '../..', filename: 'a' }],
    [{ session: '20260131/s' }],
  ])
    await assert.rejects(planner.answer({ files }, signal), /cannot be read/);
  assert.deepEqual(await planner.answer({ files: [] }, signal), { files: [], note: null });
});

test('of a store that stays silent all files of a question are said at once, and after one that is slow only the first', async () => {
  const files = Array.from({ length: 100 }, (_, i) => ({
    session: '20260131/s',
    filename: `f${i}`,
    size: 1,
  }));
  const { signal } = new AbortController();
  const planOf = (properties: BlobStore['properties'], patienceMs: number) =>
    new Planner(
      { url: (...of) => store.url(...of), properties, namesUnder: () => Promise.resolve(null) },
      RULE,
      () => null,
      // used up before the first answer
      { budgetMs: 0, patienceMs },
    ).answer({ files }, signal);
  const silent = await planOf(
    (_blob, wait) => new Promise((_, reject) => wait.addEventListener('abort', reject)),
    1,
  );
  assert.match(silent.note ?? '', /no answer in time/);
  assert.deepEqual(
    silent.files.map(({ url, exists }) => [url, exists]),
    files.map(({ filename }) => [`${ACCOUNT}/ingest/20260131/s/${filename}`, null]),
  );
  const slow = await planOf(() => Promise.resolve(null), 60_000);
  assert.deepEqual([slow.note, slow.files.length], [null, 8]);
});
