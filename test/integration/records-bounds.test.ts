import assert from 'node:assert/strict';
import { Redis } from 'ioredis';
import { jobStates } from '@app/shared/queue';
import { History, Moves, NO_BATCH, Sessions, StoredFiles } from '@app/shared/records';
import { TcpProxy, test, type TestContext, TestRedis, until } from '../support/index.js';

const PREFIX = '{sluice}';
const OURS = { datePrefix: '20260131', encodedSession: 'ours', name: 'ours' };
const OTHER = { datePrefix: '20260201', encodedSession: 'other', name: 'other' };
const FACTS = { size: 5, md5: null, mtimeMs: 0, attempts: 1, pod: 'u', maxFiles: 1_000_000 };

const numbered = (count: number) => Array.from({ length: count }, (_, i) => `n${i}`);

async function make(t: TestContext) {
  const server = await TestRedis.start();
  const redis = new Redis(server.url);
  t.after(async () => {
    redis.disconnect();
    await server.end();
  });
  const moves = new Moves(redis, PREFIX);
  const sessions = new Sessions(redis, PREFIX);
  let claims = 0;
  /** Each is done once more. */
  const done = async (session: typeof OURS, names: readonly string[]) => {
    for (let at = 0; at < names.length; at += 500)
      await Promise.all(
        names
          .slice(at, at + 500)
          .map((name) =>
            moves.receipt(session, name, `claim ${claims++}`, { ...FACTS, blobUrl: `http://store/${name}` }),
          ),
      );
  };
  const missing = async () => (await sessions.read(['20260131/ours']))[0]?.missing;
  return { server, redis, moves, sessions, done, missing };
}

/** Counts the commands of each script that runs from now on. */
async function scriptMeter(t: TestContext, redis: Redis): Promise<() => Promise<number[]>> {
  const monitor = await redis.monitor();
  t.after(() => monitor.disconnect());
  const sizes: number[] = [];
  let ended = 0;
  monitor.on('monitor', (_time: string, args: string[], source: string) => {
    if (source === 'lua') sizes.push((sizes.pop() ?? 0) + 1);
    else if (args[0] === 'echo') ended++;
    else sizes.push(0);
  });
  return async () => {
    const before = ended;
    await redis.echo('end');
    await until('the monitor has seen all', () => Promise.resolve(ended > before));
    return sizes.splice(0);
  };
}

test('later drops of a name are found behind 5,000 of other sessions, and no script reads them all', async (t) => {
  const { redis, done } = await make(t);
  // a name that ours has twice, and one that it has once
  await done(OURS, ['twice', 'once', 'twice', 'twice']);
  await done(OTHER, Array<string>(5_000).fill('twice'));
  await done(OTHER, Array<string>(3_500).fill('once'));
  const files = new StoredFiles(redis, PREFIX);
  const sizes = await scriptMeter(t, redis);
  const found: string[] = [];
  for (let after = 0; ;) {
    const page = await files.page(OURS, after, 200);
    if (page.length === 0) break;
    found.push(...page.map(({ record, standing }) => `${record.id} ${record.filename} ${standing}`));
    after = page.at(-1)!.record.id;
  }
  assert.deepEqual(found, ['1 twice superseded', '2 once stands', '3 twice superseded', '4 twice stands']);
  const largest = Math.max(...(await sizes()));
  assert.ok(largest < 3_500, `a script of ${largest} commands`);
});

test('a page that is cut short goes on with the next record, also behind one that cannot be read', async (t) => {
  const { redis, done } = await make(t);
  const names = numbered(150);
  await done(OURS, names);
  for (let i = 0; i < 60; i++) await done(OTHER, names);
  await redis.set(`${PREFIX}:done:1`, '["20260131/ours",5]');
  const files = new StoredFiles(redis, PREFIX);
  const sizes = await scriptMeter(t, redis);
  const found: string[] = [];
  let [after, pages] = [0, 0];
  for (; ; pages++) {
    const page = await files.page(OURS, after, 200);
    if (page.length === 0) break;
    for (const { record, standing } of page) if (standing === 'stands') found.push(record.filename);
    after = page.at(-1)!.record.id;
  }
  assert.deepEqual(found, names.slice(1));
  assert.ok(pages > 1, `${pages} pages`);
  const alone = await files.page(OURS, 0, 1);
  assert.deepEqual(
    alone.map(({ record }) => record.id),
    [2],
  );
  const largest = Math.max(...(await sizes()));
  assert.ok(largest < 4_000, `a script of ${largest} commands`);
});

test('an older drop that is done last does not hide a later one of its session', async (t) => {
  const { redis, moves, done } = await make(t);
  await done(OURS, ['a']);
  await moves.queued([{ session: OTHER, filename: 'a', size: 5 }], '');
  await done(OURS, ['a']);
  await done(OTHER, ['a']);
  const page = await new StoredFiles(redis, PREFIX).page(OURS, 0, 200);
  assert.deepEqual(
    page.map(({ record, standing }) => `${record.id} ${standing}`),
    ['1 superseded', '3 stands'],
  );
  // the newest of all has a smaller id than that of ours
  await moves.queued([{ session: OTHER, filename: 'b', size: 5 }], '');
  await done(OURS, ['b', 'b']);
  await done(OTHER, ['b']);
  const again = await new StoredFiles(redis, PREFIX).page(OURS, 3, 200);
  assert.deepEqual(
    again.map(({ record, standing }) => `${record.id} ${standing}`),
    ['5 superseded', '6 stands'],
  );
});

test('a session of many done files is told late what to expect, in short scripts', async (t) => {
  const { redis, sessions, moves, done, missing } = await make(t);
  await sessions.start(OURS);
  const names = numbered(2_000);
  await done(OURS, [...names, 'END', ...names.slice(0, 700)]);
  // the sources of ten second drops and of five single ones still stand
  for (const name of [...names.slice(0, 10), ...names.slice(1_990, 1_995)])
    await moves.sourceStands(OURS, name, `http://store/${name}`);
  await done(OTHER, ['END']);
  const sizes = await scriptMeter(t, redis);
  assert.equal(await sessions.countNames(OURS), true);
  await sessions.start(OURS, null, { files: 2_500, bytes: 12_500, endMarker: 'END' });
  const largest = Math.max(...(await sizes()));
  assert.ok(largest < 200, `a script of ${largest} commands`);
  // 1,996 names and ten of them once more under way
  assert.deepEqual(await missing(), { files: 504, bytes: 2_520 });
  await done(OURS, names.slice(0, 10));
  assert.deepEqual(await missing(), { files: 504, bytes: 2_520 });
});

test('done files of an earlier release are counted by name in short scripts, while more become done', async (t) => {
  const { redis, sessions, moves, done, missing } = await make(t);
  await sessions.start(OURS);
  const names = numbered(1_200);
  await done(OURS, [...names, ...names.slice(0, 700)]);
  // it counted none
  await redis.hdel(`${PREFIX}:session:20260131/ours`, 'counted', 'superseded', 'superseded_bytes');
  const late = ['n1190', 'n1191'];
  await done(OURS, late);
  const sizes = await scriptMeter(t, redis);
  let rounds = 0;
  for (; !(await sessions.countNames(OURS)); rounds++) {
    await done(OURS, late);
    // what is counted, and what is not
    for (const name of ['n0', 'n699', 'n1190']) await moves.sourceStands(OURS, name, `http://store/${name}`);
    await done(OURS, ['n699', 'n1190']);
  }
  assert.ok(rounds >= 3, `${rounds} rounds`);
  const largest = Math.max(...(await sizes()));
  assert.ok(largest < 2_100, `a script of ${largest} commands`);
  await done(OURS, ['n0', ...late, 'n5', 'new']);
  await sessions.start(OURS, null, { ...NO_BATCH, files: 1_300, bytes: 6_500 });
  assert.deepEqual(await missing(), { files: 99, bytes: 495 });
});

test('a search that finds little ends its page early, and says where it goes on', async (t) => {
  const { server, redis, moves } = await make(t);
  const names = numbered(20_000);
  await moves.queued(
    names.map((filename) => ({ session: OTHER, filename, size: 5 })),
    '',
  );
  await moves.queued([{ session: OURS, filename: 'n99999', size: 5 }], '');
  const proxy = await TcpProxy.start(server.port);
  proxy.delayMs = 50;
  const slow = new Redis({ port: proxy.port });
  t.after(async () => {
    slow.disconnect();
    await proxy.end();
  });
  const history = new History(slow, PREFIX, jobStates(slow, PREFIX));
  const looks: number[] = [];
  const monitor = await redis.monitor();
  t.after(() => monitor.disconnect());
  monitor.on('monitor', (_time: string, args: string[], source: string) => {
    if (source !== 'lua') looks.push(0);
    else if (args[0]?.toLowerCase() === 'zmscore') looks.push((looks.pop() ?? 0) + args.length - 2);
  });
  const found: string[] = [];
  let pages = 0;
  for (let after: string | null = ''; after !== null; pages++) {
    const page = await history.search({ beginning: 'n', states: null, session: OURS, after, limit: 100 });
    found.push(...page.records.map(({ filename }) => filename));
    after = page.next;
  }
  assert.deepEqual(found, ['n99999']);
  assert.ok(pages > 2, `${pages} pages`);
  const most = Math.max(...looks);
  assert.ok(most > 0 && most <= 11_000, `${most} looks of a script`);
});
