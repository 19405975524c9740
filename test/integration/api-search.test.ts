import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { sessionKey } from '@app/shared/domain';
import { jobStates } from '@app/shared/queue';
import { History, Moves, Trim, type IncomingEntry } from '@app/shared/records';
import { test, TestRedis, until } from '../support/index.js';
import { seeded, type Seeded } from './api-seeded.js';
import { ScannerAlone, SESSION } from './scanner-alone.js';

const PREFIX = '{sluice}';
const OLD = { datePrefix: '20260131', encodedSession: 'old' };
const NEW = { datePrefix: '20260201', encodedSession: 'new' };
const FACTS = { size: 1, md5: null, mtimeMs: 0, attempts: 1, pod: 'uploader-0', maxFiles: 100_000 };

const queued = (moves: Moves, names: readonly string[], session = NEW) =>
  moves.queued(
    names.map((filename) => ({ session, filename, size: 1 })),
    '',
  );
const done = (moves: Moves, filename: string, session = NEW) =>
  moves.receipt(session, filename, `claim of ${filename}`, { ...FACTS, blobUrl: `http://store/${filename}` });

/** The names of all pages of a search. */
async function search(ask: Seeded['ask'], prefix: string, more = '', cursor = ''): Promise<string[]> {
  const found: string[] = [];
  for (let next: string | null = cursor; next !== null;) {
    const { status, body, text }: any = await ask(
      `/v1/files?prefix=${encodeURIComponent(prefix)}${more}&cursor=${next}`,
    );
    assert.equal(status, 200, text);
    found.push(...body.items.map(({ filename }: { filename: string }) => filename));
    next = body.next_cursor;
  }
  return found;
}

/** An order that is far from sorted, and the same each time. */
const mixed = (count: number) => Array.from({ length: count }, (_, i) => (i * 7919) % count);
const byBytes = (names: readonly string[]) =>
  names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

test('a search finds by the beginning of a name, whatever stands in it', async (t) => {
  const { ask, moves } = await seeded(t);
  const starts = [
    ...['[', '(', '+inf', '-inf', '-', '+', '*', '?', '%', '%41', '\\', "'", '"', '{sluice}', '.', '..'],
    ...['\u0001', '\n', '\t', '\u007f', 'ä', 'a\u0308', '👩‍🚀', '\ufffd', '\uffff', 'a/b/', '0', '007', '1:1'],
    'x'.repeat(1_024),
  ];
  const names = starts.flatMap((start) => ['', '1', ' x', '~', '\uffff'].map((end) => start + end));
  await queued(moves, names);
  // an emoji is cut between its two code units by no caller who encodes as URLs do
  const prefixes = [...starts, ...names.filter((_, i) => i % 7 === 0), 'x', 'a', 'none', '[a', '(a', 'a/'];
  for (const prefix of prefixes)
    assert.deepEqual(
      await search(ask, prefix, '&limit=3'),
      byBytes(names.filter((name) => name.startsWith(prefix))),
      JSON.stringify(prefix),
    );
  assert.deepEqual((await search(ask, '', '')).toSorted(), names.toSorted());
  // half a surrogate pair, bytes that are no UTF-8, a zero byte, and more than any name holds
  for (const raw of ['%ED%A0%BD', '%F0%9F', '%FF', '%', '%zz', '%00', '%5B%00', 'x'.repeat(8_000)]) {
    const { status, body, text }: any = await ask(`/v1/files?prefix=${raw}`);
    assert.equal(status, 200, `${raw.slice(0, 20)} ${text}`);
    assert.ok(
      body.items.every(({ filename }: { filename: string }) => /^[\ufffd%]/.test(filename)),
      raw,
    );
  }
  const twice = await ask('/v1/files?prefix=a&prefix=b');
  assert.deepEqual([twice.status, twice.body.detail], [400, 'prefix must be given once']);
});

test('a search looks at every state, and takes state, session, limit and cursor as the list does', async (t) => {
  const { ask, moves, incoming } = await seeded(t);
  const entry = (state: IncomingEntry['state']): IncomingEntry => ({ state, why: 'x', since: 0, size: 1 });
  const view = { seen: 3, settling: 1, held: 1, ignored: 1, oldest_age_s: 0, unexamined: 0 };
  const waiting = { 'a wait 1': 'settling', 'a wait 2': 'held', 'b wait': 'settling' } as const;
  const publish = (names: Readonly<Record<string, IncomingEntry['state'] | null>>) =>
    incoming.publish(
      view,
      new Map(Object.entries(names).map(([name, state]) => [name, state && entry(state)])),
      false,
    );
  await queued(moves, ['a old', 'b old'], OLD);
  await done(moves, 'a old', OLD);
  await queued(moves, ['a queued', 'b queued', 'a failed', 'a active', 'a old']);
  await moves.begin({ session: NEW, filename: 'a active', size: 1 }, 'run', false, 'uploader-0');
  await moves.quarantined(
    { session: NEW, filename: 'a failed', size: 1 },
    { why: 'x', attempts: 5, code: 'X', count: true },
  );
  await publish(waiting);
  for (const limit of ['', '&limit=1', '&limit=2'])
    assert.deepEqual(
      await search(ask, 'a ', limit),
      ['a wait 1', 'a wait 2', 'a active', 'a failed', 'a old', 'a old', 'a queued'],
      limit,
    );
  for (const [query, names] of [
    ['&state=settling', ['a wait 1']],
    ['&state=done', ['a old']],
    ['&state=failed', ['a failed']],
    ['&state=queued', ['a old', 'a queued']],
    ['&session=20260131/old', ['a old']],
    ['&session=20260201/new', ['a active', 'a failed', 'a old', 'a queued']],
    ['&session=20260201/new&state=done', []],
    ['&session=20260131/none', []],
  ] as const)
    for (const limit of ['', '&limit=1'])
      assert.deepEqual(await search(ask, 'a ', query + limit), names, query + limit);

  // each once, also a file that is enqueued, claimed, done or dropped again between two pages
  const first = (await ask('/v1/files?prefix=a%20&limit=3')).body;
  await queued(moves, ['a wait 1', 'a wait 2']);
  await publish({ 'a wait 1': null, 'a wait 2': null });
  for (const name of ['a active', 'a failed', 'a queued']) await done(moves, name);
  const found = first.items.map(({ filename }: { filename: string }) => filename);
  assert.deepEqual(
    [...found, ...(await search(ask, 'a ', '&limit=1', first.next_cursor))],
    ['a wait 1', 'a wait 2', 'a active', 'a failed', 'a old', 'a old', 'a queued'],
  );
  // a place by id is none by name
  const { next_cursor } = (await ask('/v1/files?state=done&limit=1')).body;
  assert.equal((await ask(`/v1/files?prefix=a&cursor=${next_cursor}`)).status, 400);
  // nor is a place among the names of one beginning one among those of another, here in the drop folder or behind it
  await publish(waiting);
  for (const limit of [1, 4]) {
    const cursor = (await ask(`/v1/files?prefix=a%20&limit=${limit}`)).body.next_cursor;
    const statuses = [];
    for (const query of ['prefix=a%20&', 'prefix=a&', 'prefix=b%20&', 'prefix=&', ''])
      statuses.push((await ask(`/v1/files?${query}cursor=${cursor}`)).status);
    assert.deepEqual(statuses, [200, 400, 400, 400, 400], `limit ${limit}`);
  }
});

test('the index has each record once through all that becomes of it, for at most 100 bytes', async (t) => {
  const server = await TestRedis.start();
  const redis = new Redis(server.url);
  t.after(async () => {
    redis.disconnect();
    await server.end();
  });
  const [moves, trim] = [new Moves(redis, PREFIX), new Trim(redis, PREFIX)];
  const history = new History(redis, PREFIX, jobStates(redis, PREFIX));
  const find = async (beginning: string, states: readonly 'done'[] | null = null) => {
    const names: string[] = [];
    for (let after: string | null = ''; after !== null;) {
      const page = await history.search({ beginning, states, session: null, after, limit: 700 });
      names.push(...page.records.map(({ filename }) => filename));
      after = page.next;
    }
    return names;
  };
  const bytes = async () => {
    const keys = await redis.keys(`${PREFIX}:by-name*`);
    const sizes = await Promise.all(keys.map((key) => redis.call('MEMORY', 'USAGE', key, 'SAMPLES', '0')));
    return sizes.reduce((sum: number, size) => sum + Number(size), 0);
  };
  const names = mixed(6_000).map((i) => `recording-${String(i).padStart(28, '0')}.mxf`);
  await queued(moves, names);
  assert.deepEqual(await find(''), names.toSorted());
  assert.ok((await bytes()) / names.length <= 100, `${(await bytes()) / names.length} bytes a record`);

  const [gone, kept] = [names.slice(0, 2_000), names.slice(2_000)];
  for (const filename of gone) await moves.forget(NEW, filename);
  for (const filename of kept.slice(0, 3_000)) await done(moves, filename);
  assert.deepEqual(await find(''), kept.toSorted());
  // its source still stands, and it is done again
  await moves.sourceStands(NEW, kept[0]!, 'http://store/x');
  assert.deepEqual(await find('', ['done']), kept.slice(1, 3_000).toSorted());
  await done(moves, kept[0]!);
  while ((await trim.pass(0, 500)) > 0);
  const left = await find('', ['done']);
  assert.equal(left.length, 500);
  assert.deepEqual(await find(''), [...left, ...kept.slice(3_000)].toSorted());
  // all records gone: so is the index
  while ((await trim.pass(Date.now() + 10_000, 0)) > 0);
  for (const filename of kept.slice(3_000)) await moves.forget(NEW, filename);
  assert.deepEqual(await redis.keys(`${PREFIX}:by-name*`), []);
});

test('a scanner that leads adds to the index what an earlier release recorded, and removes what it trimmed', async (t) => {
  const alone = await ScannerAlone.make(t);
  const { client, moves } = alone;
  const history = new History(client, PREFIX, jobStates(client, PREFIX));
  const found = async () => {
    const { records } = await history.search({
      beginning: '',
      states: null,
      session: null,
      after: '',
      limit: 999,
    });
    return records.map(({ filename, state }) => `${filename} ${state}`);
  };
  const names = mixed(800).map((i) => `old-${String(i).padStart(3, '0')}`);
  await queued(moves, names, SESSION);
  for (const name of names.slice(0, 400)) await done(moves, name, SESSION);
  for (const name of names.slice(400)) {
    // else the scanner would forget it
    alone.put(join(alone.failed, sessionKey(SESSION), name));
    await moves.quarantined(
      { session: SESSION, filename: name, size: 1 },
      { why: 'x', attempts: 5, code: 'X', count: false },
    );
  }
  const wanted = names.map((name, i) => `${name} ${i < 400 ? 'done' : 'failed'}`).toSorted();
  assert.deepEqual(await found(), wanted);
  const keys = await client.keys(`${PREFIX}:by-name*`);
  assert.ok(keys.length > 5);
  await client.del(...keys);
  // and an entry whose record an earlier release removed
  await client.zadd(`${PREFIX}:by-name:`, 0, 'gone\u00005'.concat('99999'));
  const scanner = await alone.start();
  await scanner.ready();
  await until('the index is whole', async () => (await found()).length === wanted.length);
  assert.deepEqual(await found(), wanted);
  await until(
    'the entry without a record is gone',
    async () => (await client.zscore(`${PREFIX}:by-name:`, 'gone\u0000599999')) === null,
  );
});
