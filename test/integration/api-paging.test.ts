import assert from 'node:assert/strict';
import { Redis } from 'ioredis';
import type { SessionRef } from '@app/shared/domain';
import { openUploadQueue, uploadJob } from '@app/shared/queue';
import { Incoming, Moves, Sessions } from '@app/shared/records';
import { test, type TestContext, until } from '../support/index.js';
import { apiAlone, type ApiAlone } from './api-alone.js';

const PREFIX = '{sluice}';
const OLD: SessionRef = { datePrefix: '20260131', encodedSession: 'old' };
const NEW: SessionRef = { datePrefix: '20260201', encodedSession: 'new' };
/** 100,000 records: those of the old session are done, of the new one all that are under way or failed. */
const COUNTS = { done: 60_000, queued: 30_000, delayed: 6_000, failed: 4_000 };
const LIMIT = 1_000;
/** What one page may cost Redis: some commands and some hundred bytes a record, however many records there are. */
const PER_PAGE = { commands: 3 * LIMIT, bytes: 700 * LIMIT };

const name = (state: string, i: number) => `${state}-${String(i).padStart(6, '0')}.bin`;
const names = (state: keyof typeof COUNTS) => Array.from({ length: COUNTS[state] }, (_, i) => name(state, i));

/** Does something with many, some hundred at once. */
async function forMany(many: readonly string[], act: (one: string) => Promise<unknown>): Promise<void> {
  for (let at = 0; at < many.length; at += 500) await Promise.all(many.slice(at, at + 500).map(act));
}

async function apiWithClient(t: TestContext): Promise<ApiAlone & { client: Redis }> {
  const api = await apiAlone(t);
  const client = new Redis(api.redis.url, { maxRetriesPerRequest: null });
  t.after(() => client.disconnect());
  return { ...api, client };
}

/** Makes 100,000 records, and jobs of those that are queued, as scanner and uploaders make them. */
async function crowd(client: Redis): Promise<void> {
  const moves = new Moves(client, PREFIX);
  const file = (session: SessionRef) => (filename: string) => ({ session, filename, size: 10 });

  await moves.queued(names('done').map(file(OLD)), '');
  const facts = { size: 10, md5: null, mtimeMs: 0, attempts: 1, pod: 'uploader-0', maxFiles: 100_000 };
  await forMany(names('done'), (filename) =>
    moves.receipt(OLD, filename, 'claim', { ...facts, blobUrl: `http://store/${filename}` }),
  );
  await moves.queued((['queued', 'delayed', 'failed'] as const).flatMap(names).map(file(NEW)), '');
  await forMany(names('failed'), (filename) =>
    moves.quarantined(file(NEW)(filename), { why: 'failed', attempts: 5, code: 'X', count: true }),
  );
  await forMany(names('delayed'), async (filename) => {
    await moves.begin(file(NEW)(filename), filename, false, 'uploader-0');
    await moves.rest(NEW, filename, filename, { state: 'delayed', why: 'later', attempts: 1 });
  });
  const jobs = names('queued').map((filename) =>
    uploadJob({ date_prefix: NEW.datePrefix, encoded_session: NEW.encodedSession, filename }),
  );
  const queue = openUploadQueue(client, PREFIX, () => undefined);
  for (let at = 0; at < jobs.length; at += 1_000) await queue.addBulk(jobs.slice(at, at + 1_000));
  await queue.close();
}

async function spent(client: Redis): Promise<{ commands: number; bytes: number }> {
  const info = await client.info('stats');
  const number = (field: string) => Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(info)?.[1]);
  return { commands: number('total_commands_processed'), bytes: number('total_net_output_bytes') };
}

test('100,000 files in pages: each once, and no page reads more than its own', async (t) => {
  const { ask, client } = await apiWithClient(t);
  await crowd(client);

  /** Filenames of all pages of a list. */
  const list = async (query: string): Promise<string[]> => {
    const found: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      // a busy machine may make a page late, which is a 503
      const { body, before, after }: any = await until('a page', async () => {
        const before = await spent(client);
        const { status, body, text } = await ask(`/v1/files?limit=${LIMIT}${query}&cursor=${cursor}`);
        if (status !== 200) throw new Error(text);
        return { body, before, after: await spent(client) };
      });
      assert.ok(body.items.length <= LIMIT);
      assert.ok(after.commands - before.commands < PER_PAGE.commands, `${after.commands - before.commands}`);
      assert.ok(after.bytes - before.bytes < PER_PAGE.bytes, `${after.bytes - before.bytes} bytes`);
      found.push(...body.items.map(({ filename }: { filename: string }) => filename));
      cursor = body.next_cursor;
    }
    return found;
  };
  const newestFirst = (states: readonly (keyof typeof COUNTS)[]) => states.flatMap(names).toReversed();

  assert.deepEqual(await list(''), newestFirst(['done', 'queued', 'delayed', 'failed']));
  for (const state of ['queued', 'delayed', 'failed', 'done'] as const)
    assert.deepEqual(await list(`&state=${state}`), newestFirst([state]), state);
  assert.deepEqual(await list('&session=20260201/new'), newestFirst(['queued', 'delayed', 'failed']));
  assert.deepEqual(await list('&session=20260201/new&state=failed'), newestFirst(['failed']));
  assert.deepEqual(await list('&session=20260131/old&state=failed'), []);
  assert.deepEqual(await list('&state=settling'), []);

  for (const path of [
    '/v1/status',
    '/v1/sessions',
    '/v1/sessions/20260201/new',
    '/v1/files/queued-000007.bin',
  ]) {
    const before = await spent(client);
    assert.equal((await ask(path)).status, 200, path);
    const after = await spent(client);
    assert.ok(
      after.commands - before.commands < 500,
      `${path}: ${after.commands - before.commands} commands`,
    );
    assert.ok(after.bytes - before.bytes < 100_000, `${path}: ${after.bytes - before.bytes} bytes`);
  }
});

test('the drop folder in pages: each waiting file once, by name, before those that were enqueued', async (t) => {
  const { ask, client } = await apiWithClient(t);
  const waiting = Array.from({ length: 4_000 }, (_, i) => name(i % 2 ? 'held' : 'settling', i));
  const entry = (state: 'held' | 'settling') => ({ state, why: `${state}: x`, since: 0, size: 1 });
  await new Incoming(client, PREFIX).publish(
    { seen: 4_000, settling: 2_000, held: 2_000, ignored: 0, oldest_age_s: 0, unexamined: 0 },
    new Map(waiting.map((filename) => [filename, entry(filename.startsWith('held') ? 'held' : 'settling')])),
    true,
  );
  await new Moves(client, PREFIX).queued([{ session: NEW, filename: 'enqueued.bin', size: 1 }], '');
  const found: string[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const { body }: any = await ask(`/v1/files?limit=300&cursor=${cursor}`);
    found.push(...body.items.map(({ filename }: { filename: string }) => filename));
    cursor = body.next_cursor;
  }
  assert.deepEqual(found, [...waiting.toSorted(), 'enqueued.bin']);
});

/** What all pages of a list hold, from a cursor on. */
async function walk(
  ask: ApiAlone['ask'],
  path: string,
  member: string,
  cursor: string | null,
): Promise<string[]> {
  const found: string[] = [];
  while (cursor !== null) {
    const { status, body, text }: any = await ask(`${path}&cursor=${cursor}`);
    assert.equal(status, 200, text);
    found.push(...body.items.map((item: Record<string, string>) => item[member]));
    cursor = body.next_cursor;
  }
  return found;
}

test('sessions in pages: each once, though that of the cursor is trimmed, and many began at one moment', async (t) => {
  const { ask, client } = await apiWithClient(t);
  const sessions = new Sessions(client, PREFIX);
  const names = Array.from({ length: 30 }, (_, i) => `s-${String(i).padStart(2, '0')}`);
  for (const text of names)
    await sessions.start({ datePrefix: '20260131', encodedSession: text, name: text });
  await client.zadd(
    `${PREFIX}:sessions`,
    ...names.flatMap((text, i) => [Math.floor(i / 12), `20260131/${text}`]),
  );
  assert.deepEqual(await walk(ask, '/v1/sessions?limit=5', 'session_name', ''), names.toReversed());

  const first = (await ask('/v1/sessions?limit=5')).body;
  for (const { session_name } of first.items) {
    await client.del(`${PREFIX}:session:20260131/${session_name}`);
    await client.zrem(`${PREFIX}:sessions`, `20260131/${session_name}`);
  }
  // one of them begins anew meanwhile: it is the newest now, and was shown
  await sessions.start({ datePrefix: '20260131', encodedSession: names[29]!, name: names[29]! });
  assert.deepEqual(
    await walk(ask, '/v1/sessions?limit=5', 'session_name', first.next_cursor),
    names.slice(0, 25).toReversed(),
  );
});

test('records that are trimmed while a list is walked end it nowhere', async (t) => {
  const { ask, client } = await apiWithClient(t);
  const files = Array.from({ length: 9 }, (_, i) => name('queued', i));
  await new Moves(client, PREFIX).queued(
    files.map((filename) => ({ session: NEW, filename, size: 1 })),
    '',
  );
  const { body } = await ask('/v1/files?limit=3');
  // their ids were read already when the records went
  for (const id of [5, 6, 4, 3]) await client.del(`${PREFIX}:file:${id}`);
  assert.deepEqual(await walk(ask, '/v1/files?limit=3', 'filename', body.next_cursor), [files[1], files[0]]);
});

test('a file that is enqueued while a list is walked comes once: as it was shown, or as it is now', async (t) => {
  const { ask, client } = await apiWithClient(t);
  const incoming = new Incoming(client, PREFIX);
  const moves = new Moves(client, PREFIX);
  const entry = { state: 'settling' as const, why: 'settling: x', since: 0, size: 1 };
  const view = { seen: 8, settling: 8, held: 0, ignored: 0, oldest_age_s: 0, unexamined: 0 };
  const files = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  const enqueue = (...filenames: string[]) =>
    moves.queued(
      filenames.map((filename) => ({ session: NEW, filename, size: 1 })),
      '',
    );
  await enqueue('long ago');
  await incoming.publish(view, new Map(files.map((filename) => [filename, entry])), true);
  // enqueued, and not yet out of the view that its scan will publish
  await enqueue('a');
  const first = (await ask('/v1/files?limit=2')).body;
  assert.deepEqual(
    first.items.map(({ filename }: { filename: string }) => filename),
    ['a', 'b'],
  );
  await enqueue('b', 'd');
  await incoming.publish(view, new Map(['a', 'b', 'd'].map((filename) => [filename, null])), false);
  const second = (await ask(`/v1/files?limit=2&cursor=${first.next_cursor}`)).body;
  await enqueue('c', 'h');
  await incoming.publish(view, new Map(['c', 'h'].map((filename) => [filename, null])), false);
  const rest = await walk(ask, '/v1/files?limit=2', 'filename', second.next_cursor);
  const found = [...first.items, ...second.items].map(({ filename }: { filename: string }) => filename);
  assert.deepEqual([...found, ...rest].toSorted(), [...files, 'long ago']);
  // on one page too
  await enqueue('e');
  const whole = await walk(ask, '/v1/files?limit=100', 'filename', '');
  assert.deepEqual(whole.toSorted(), [...files, 'long ago']);
});

test('records that change their state while they are read come once each', async (t) => {
  const { ask, client } = await apiWithClient(t);
  const moves = new Moves(client, PREFIX);
  const files = Array.from({ length: 8 }, (_, i) => ({ session: NEW, filename: name('queued', i), size: 1 }));
  await moves.queued(files, '');
  let reading = true;
  const moving = (async () => {
    for (let run = 0; reading; run++)
      for (const file of files) {
        await moves.begin(file, `run-${run}`, false, 'uploader-0');
        await moves.rest(NEW, file.filename, `run-${run}`, { state: 'delayed', why: 'later', attempts: 1 });
      }
  })();
  for (let i = 0; i < 400; i++) {
    const { body } = await ask('/v1/files');
    assert.deepEqual(
      body.items.map(({ filename }: { filename: string }) => filename),
      files.map(({ filename }) => filename).toReversed(),
    );
  }
  reading = false;
  await moving;
});

test('a cursor that was made up, cut off, or given for another list is refused', async (t) => {
  const { ask, client } = await apiWithClient(t);
  const files = Array.from({ length: 4 }, (_, i) => ({ session: NEW, filename: name('queued', i), size: 1 }));
  await new Moves(client, PREFIX).queued(files, '');
  await new Moves(client, PREFIX).queued([{ session: OLD, filename: 'x', size: 1 }], '');
  const cursors = {
    files: (await ask('/v1/files?limit=1')).body.next_cursor as string,
    sessions: (await ask('/v1/sessions?limit=1')).body.next_cursor as string,
  };
  const text = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const made = [
    ...[{ after: '20260131/x' }, { before: 5 }, { after: 'x' }, {}, [], null, 5, { before: '5' }].map(text),
    ...['x', '!', '.', '%00', '-1', '0', 'null', 'undefined', '__proto__'],
  ];
  for (const [list, own, other] of [
    ['files', cursors.files, cursors.sessions],
    ['sessions', cursors.sessions, cursors.files],
  ] as const) {
    assert.equal((await ask(`/v1/${list}?cursor=${own}`)).status, 200);
    const altered = `${own[0] === 'e' ? 'f' : 'e'}${own.slice(1)}`;
    for (const cursor of [...made, other, own.slice(0, -1), own.slice(1), `${own}x`, `${own}.x`, altered]) {
      const { status, body } = await ask(`/v1/${list}?cursor=${cursor}`);
      assert.equal(status, 400, `${list} ${cursor}`);
      assert.match(body.detail, /cursor/);
    }
  }
});
