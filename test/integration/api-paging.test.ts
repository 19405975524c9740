import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { Redis } from 'ioredis';
import type { SessionRef } from '@app/shared/domain';
import { openUploadQueue, uploadJob } from '@app/shared/queue';
import { Incoming, Moves } from '@app/shared/records';
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
      const before = await spent(client);
      const { status, body, text }: any = await ask(`/v1/files?limit=${LIMIT}${query}&cursor=${cursor}`);
      const after = await spent(client);
      assert.equal(status, 200, text);
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
