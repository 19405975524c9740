import assert from 'node:assert/strict';
import { jobId, type SessionRef } from '@app/shared/domain';
import type { PodReport } from '@app/shared/pods';
import { uploadJob } from '@app/shared/queue';
import { VERSION } from '@app/shared/runtime';
import { test, until } from '../support/index.js';
import type { ApiAlone } from './api-alone.js';
import { seeded, type Seeded } from './api-seeded.js';

const PREFIX = '{sluice}';
const ONE: SessionRef = { datePrefix: '20260131', encodedSession: 'my%20session' };
const TWO: SessionRef = { datePrefix: '20260201', encodedSession: 'other' };

function pod(role: PodReport['role'], more: Partial<PodReport> = {}): PodReport {
  return {
    id: role,
    role,
    name: `${role}-0`,
    version: VERSION,
    started_at: '2026-01-31T12:00:00.000Z',
    ready: true,
    standby: false,
    volume: 'v1',
    disk: { volume: null, staging: null },
    problems: [],
    hands: [],
    rates: {},
    ...more,
  };
}

async function done(world: Seeded, session: SessionRef, filename: string, size = 10): Promise<void> {
  await world.moves.begin({ session, filename, size }, `run-${filename}`, false, 'uploader-0');
  const facts = {
    blobUrl: `http://store/${filename}`,
    size,
    md5: 'd41d8cd98f00b204e9800998ecf8427e',
    mtimeMs: 1769860800123,
  };
  await world.moves.receipt(session, filename, `claim-${filename}-${Math.random()}`, {
    ...facts,
    attempts: 1,
    pod: 'uploader-0',
    maxFiles: 100_000,
  });
}

async function quarantine(world: Seeded, session: SessionRef, filename: string): Promise<void> {
  await world.moves.quarantined(
    { session, filename, size: 7 },
    { why: 'failed after 5 attempts: 400 InvalidInput', attempts: 5, code: 'InvalidInput', count: true },
  );
  const { name, data, opts } = uploadJob({
    date_prefix: session.datePrefix,
    encoded_session: session.encodedSession,
    filename,
  });
  const job = await world.queue.add(name, data, opts);
  // what a worker leaves behind when it fails a job
  const key = `${PREFIX}:upload`;
  await world.client.lrem(`${key}:wait`, 1, job.id ?? '');
  await world.client.zadd(`${key}:failed`, Date.now(), job.id ?? '');
  await world.client.hset(
    `${key}:${job.id}`,
    'failedReason',
    'failed after 5 attempts: 400 InvalidInput',
    'finishedOn',
    Date.now(),
    'attemptsMade',
    1,
  );
}

/** All pages of a list, from a cursor on. */
async function pages(api: ApiAlone, path: string, from = ''): Promise<any[]> {
  const items: any[] = [];
  for (let cursor: string | null = from; cursor !== null;) {
    const glue = path.includes('?') ? '&' : '?';
    const { status, body, text }: any = await api.ask(
      `${path}${cursor === '' ? '' : `${glue}cursor=${cursor}`}`,
    );
    assert.equal(status, 200, text);
    items.push(...body.items);
    cursor = body.next_cursor;
  }
  return items;
}

test('where is my file, and why: a sentence for every state', async (t) => {
  const world = await seeded(t);
  const since = Date.now() - 2_000;
  await world.incoming.publish(
    { seen: 6, settling: 1, held: 1, ignored: 1, oldest_age_s: 3, unexamined: 1234 },
    new Map([
      ['grows.bin', { state: 'settling', why: 'settling: size changed since the last look', since, size: 5 }],
      ['twice.bin', { state: 'held', why: 'held: the first file of this name is under way', since, size: 5 }],
      ['.hidden', { state: 'ignored', why: 'ignored: its name begins with a dot', since, size: null }],
    ]),
    true,
  );
  await world.moves.queued([{ session: ONE, filename: 'twice.bin', size: 100 }], '');
  await world.moves.queued([{ session: ONE, filename: 'a#b?c 100%.bin', size: 100 }], '');
  await world.moves.begin({ session: ONE, filename: 'goes.bin', size: 200 }, 'r1', false, 'uploader-0');
  await world.moves.progress(ONE, 'goes.bin', 84);
  await world.moves.begin({ session: ONE, filename: 'later.bin', size: 1 }, 'r2', false, 'uploader-0');
  await world.moves.rest(ONE, 'later.bin', 'r2', {
    state: 'delayed',
    why: 'ServerBusy: later',
    attempts: 1,
    code: 'ServerBusy',
  });
  await quarantine(world, ONE, 'bad.bin');
  await done(world, TWO, 'good.bin');

  const why = async (name: string) => {
    const { status, body, text } = await world.ask(`/v1/files/${encodeURIComponent(name)}`);
    assert.equal(status, 200, text);
    return [body.state, body.why];
  };
  const settling = await why('grows.bin');
  assert.equal(settling[0], 'settling');
  assert.match(settling[1], /^settling: size changed [2-9] s ago$/);
  assert.deepEqual(await why('.hidden'), ['ignored', 'ignored: its name begins with a dot']);
  assert.deepEqual(await why('a#b?c 100%.bin'), ['queued', 'queued: waits for an uploader']);
  assert.deepEqual(await why('goes.bin'), [
    'active',
    'uploading: 42 % (84 bytes of 200 bytes are in the store)',
  ]);
  assert.deepEqual(await why('later.bin'), ['delayed', 'delayed: ServerBusy: later']);
  assert.deepEqual(await why('bad.bin'), ['failed', 'failed after 5 attempts: 400 InvalidInput']);
  const good = (await world.ask('/v1/files/good.bin')).body;
  assert.match(good.why, /^done: verified in the store at 20/);
  assert.deepEqual(good.session, {
    date_prefix: '20260201',
    encoded_session: 'other',
    session_name: 'other',
  });
  assert.deepEqual(good.progress, { bytes: 10, percent: 100 });
  assert.equal(good.mtime, '2026-01-31T12:00:00.123Z');
  assert.equal(good.uploader, 'uploader-0');

  const twice = (await world.ask('/v1/files/twice.bin')).body;
  assert.equal(twice.state, 'held');
  assert.deepEqual(
    twice.others.map((other: any) => other.state),
    ['queued'],
  );
  const unknown = await world.ask('/v1/files/nobody.bin');
  assert.equal(unknown.status, 404);
  assert.match(unknown.body.detail, /1234 files in incoming are not examined yet/);

  const names = async (query: string) =>
    (await world.ask(`/v1/files?${query}`)).body.items.map((item: any) => item.filename);
  assert.deepEqual(await names(''), [
    '.hidden',
    'grows.bin',
    'twice.bin',
    'good.bin',
    'bad.bin',
    'later.bin',
    'goes.bin',
    'a#b?c 100%.bin',
    'twice.bin',
  ]);
  assert.deepEqual(await names('state=held'), ['twice.bin']);
  assert.deepEqual(await names('state=failed'), ['bad.bin']);
  assert.deepEqual(await names('session=20260201/other'), ['good.bin']);
  assert.deepEqual(await names('session=20260201/other&state=settling'), []);
  assert.deepEqual(await names(`session=${encodeURIComponent('20260131/my%20session')}&state=delayed`), [
    'later.bin',
  ]);
  for (const query of [
    'state=lost',
    'session=x',
    'session=2026/a',
    'limit=0',
    'limit=1001',
    'limit=1.5',
    'cursor=!',
    'cursor=e30',
    'session=a&session=b',
    'state=done&state=failed',
  ])
    assert.equal((await world.ask(`/v1/files?${query}`)).status, 400, query);
});

test('a scanner that lives and ends no scan is not called dead', async (t) => {
  const world = await seeded(t);
  const detail = async () => (await world.ask('/v1/files/unheard-of')).body.detail;
  assert.match(await detail(), /no scanner is alive/);
  await world.pods.report(pod('scanner', { problems: ['a scan failed: something'] }));
  assert.match(await detail(), /no scan has ended lately, though a scanner lives: GET .v1.status says why/);
  const { body } = await world.ask('/v1/status');
  assert.equal(body.incoming, null);
  assert.ok(body.problems.some((sentence: string) => sentence.endsWith('a scan failed: something')));
  assert.ok(!body.problems.some((sentence: string) => /No live scanner/.test(sentence)));
});

test('the same name again: the newest record first, older ones beside', async (t) => {
  const world = await seeded(t);
  for (const session of [ONE, TWO, ONE]) await done(world, session, 'again.bin', 3);
  const { body } = await world.ask('/v1/files/again.bin');
  assert.equal(body.session.encoded_session, 'my%20session');
  assert.deepEqual(
    body.others.map((other: any) => other.session.encoded_session),
    ['other', 'my%20session'],
  );
  assert.ok(body.queued_at >= body.others[0].queued_at);
});

test('pages of files and sessions hold each once, whatever is added meanwhile', async (t) => {
  const world = await seeded(t);
  const names = Array.from({ length: 2_350 }, (_, i) => `f-${String(i).padStart(5, '0')}`);
  await world.moves.queued(
    names.map((filename) => ({ session: ONE, filename, size: 1 })),
    '',
  );
  await world.incoming.publish(
    { seen: 3, settling: 3, held: 0, ignored: 0, oldest_age_s: 0, unexamined: 0 },
    new Map(
      ['a', 'b', 'c'].map((name) => [name, { state: 'settling', why: 'settling: x', since: 0, size: 1 }]),
    ),
    true,
  );
  for (const limit of [1000, 3, 2]) {
    const wanted = [...['a', 'b', 'c'], ...names.toReversed()];
    if (limit === 1000) {
      const items = await pages(world, '/v1/files?limit=1000');
      assert.deepEqual(
        items.map(({ filename }) => filename),
        wanted,
      );
    } else {
      const first = (await world.ask(`/v1/files?limit=${limit}`)).body;
      const second = (await world.ask(`/v1/files?limit=${limit}&cursor=${first.next_cursor}`)).body;
      assert.deepEqual(
        [...first.items, ...second.items].map(({ filename }) => filename),
        wanted.slice(0, 2 * limit),
      );
    }
  }
  const first = (await world.ask('/v1/files?state=queued')).body;
  assert.equal(first.items.length, 100);
  await world.moves.queued([{ session: ONE, filename: 'new', size: 1 }], '');
  const second = (await world.ask(`/v1/files?state=queued&cursor=${first.next_cursor}`)).body;
  assert.equal(second.items[0].filename, names.at(-101));

  for (let i = 0; i < 25; i++)
    await world.sessions.start({ datePrefix: '20260131', encodedSession: `s${i}`, name: `s${i}` });
  const page = (await world.ask('/v1/sessions?limit=10')).body;
  await world.sessions.start({ datePrefix: '20260131', encodedSession: 'late', name: 'late' });
  const after = await pages(world, '/v1/sessions?limit=7', page.next_cursor);
  const all = [...page.items, ...after].map(({ encoded_session }) => encoded_session);
  assert.equal(new Set(all).size, all.length);
  assert.equal(all.length, 26);
});

test('a session tells what became of its files, in its own place in the path', async (t) => {
  const world = await seeded(t);
  await world.sessions.start({ ...ONE, name: 'my session' });
  await world.moves.queued([{ session: ONE, filename: 'q', size: 600 }], '');
  await done(world, ONE, 'd', 400);
  await quarantine(world, ONE, 'f');
  await world.pods.report(pod('uploader', { rates: { '20260131/my%20session': 100 } }));
  await world.sessions.setUrl('20260131/my%20session', 'http://store/20260131/my%2520session/');
  const { status, body, text } = await world.ask('/v1/sessions/20260131/my%2520session');
  assert.equal(status, 200, text);
  assert.deepEqual(
    { ...body, started_at: typeof body.started_at },
    {
      date_prefix: '20260131',
      session_name: 'my session',
      encoded_session: 'my%20session',
      state: 'active',
      files: { queued: 1, active: 0, delayed: 0, done: 1, failed: 1 },
      bytes: { done: 400, in_flight: 0, total: 1000 },
      rate_bytes_per_s: 100,
      eta_s: 6,
      complete: false,
      missing: { files: 1, bytes: 600 },
      expect: null,
      end_marker: null,
      labels: null,
      started_at: 'string',
      stopped_at: null,
      finished_at: null,
      url: 'http://store/20260131/my%2520session/',
    },
  );
  await world.post('/v1/watch/stop');
  assert.equal((await world.ask('/v1/sessions/20260131/my%2520session')).body.state, 'draining');
  await done(world, ONE, 'q', 600);
  const finished = (await world.ask('/v1/sessions/20260131/my%2520session')).body;
  assert.equal(finished.state, 'finished');
  assert.equal(finished.eta_s, 0);
  assert.ok(finished.finished_at >= finished.stopped_at);
  for (const path of ['20260131/nobody', '20260131/nobody/manifest'])
    assert.equal((await world.ask(`/v1/sessions/${path}`)).status, 404);
  for (const path of ['20260231/x', 'today/x', '20260131/my%20session'])
    assert.equal((await world.ask(`/v1/sessions/${path}`)).status, 400);
});

test('the manifest has a line for each file that is done, however many', async (t) => {
  const world = await seeded(t);
  for (let i = 0; i < 1_203; i++) await done(world, ONE, `file ${i}`, i);
  await world.moves.queued([{ session: ONE, filename: 'open', size: 1 }], '');
  const { status, text, headers } = await world.ask('/v1/sessions/20260131/my%2520session/manifest');
  assert.equal(status, 200);
  assert.match(headers.get('content-type') ?? '', /^application\/x-ndjson/);
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map(({ name }) => name),
    Array.from({ length: 1_203 }, (_, i) => `file ${i}`),
  );
  const { started, finished, ...line } = lines[7];
  assert.deepEqual(line, {
    name: 'file 7',
    url: 'http://store/file 7',
    size: 7,
    md5: 'd41d8cd98f00b204e9800998ecf8427e',
    mtime: '2026-01-31T12:00:00.123Z',
    attempts: 1,
    uploader: 'uploader-0',
  });
  assert.ok(started <= finished);
});

test('a manifest marks the drops that a later one of the name replaced in its session, and with state=all has the failed files', async (t) => {
  const world = await seeded(t);
  const path = '/v1/sessions/20260131/my%2520session/manifest';
  const lines = async (query = '') => {
    const { status, text, headers } = await world.ask(`${path}${query}`);
    assert.deepEqual([status, headers.get('sluice-missing')], [200, '0'], text);
    return text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
  };
  const marked = async () =>
    (await lines()).flatMap(({ name, size, superseded }) =>
      superseded === undefined ? [] : [`${name} ${size} ${superseded}`],
    );
  const dropped = (session: SessionRef, names: readonly string[]) =>
    Promise.all(
      names.map((filename, size) =>
        world.moves.receipt(session, filename, `claim-${Math.random()}`, {
          ...{ blobUrl: `http://store/${filename}`, size, md5: null, mtimeMs: 0 },
          ...{ attempts: 1, pod: 'uploader-0', maxFiles: 100_000 },
        }),
      ),
    );
  // twice on one page, on two pages, and over and over
  await dropped(ONE, ['twice', 'again', 'twice', 'elsewhere']);
  await dropped(
    ONE,
    Array.from({ length: 600 }, (_, i) => (i % 2 ? 'often' : `file ${i}`)),
  );
  await dropped(ONE, ['again']);
  // more drops of another session behind them than one look goes through
  await dropped(TWO, Array(1_100).fill('again'));
  await dropped(TWO, Array(600).fill('twice'));
  const often = Array.from({ length: 299 }, (_, i) => `often ${2 * i + 1} true`);
  assert.deepEqual(await marked(), ['twice 0 true', 'again 1 true', ...often]);

  // stored, though its source still stands: no done file, and the blob is its own
  await done(world, ONE, 'elsewhere', 2);
  await world.moves.sourceStands(ONE, 'elsewhere', 'http://store/elsewhere');
  assert.deepEqual(await marked(), ['twice 0 true', 'again 1 true', 'elsewhere 3 true', ...often]);

  const before = await lines();
  await quarantine(world, ONE, 'bad');
  await quarantine(world, ONE, 'back at work');
  await quarantine(world, TWO, 'of another session');
  // as Bull Board does it: the records hear nothing
  await (await world.queue.getJob(jobId('back at work')))?.retry();
  assert.deepEqual(await lines(), before);
  assert.deepEqual(await lines('?state=done'), before);
  const { finished, ...failed } = (await lines('?state=all')).at(-1);
  assert.deepEqual(failed, {
    ...{ name: 'bad', state: 'failed', size: 7, code: 'InvalidInput', attempts: 5 },
    why: 'failed after 5 attempts: 400 InvalidInput',
    ...{ started: null, uploader: null },
  });
  assert.ok(finished > before[0].finished);
  assert.equal((await lines('?state=all')).length, before.length + 1);
  for (const state of ['failed', '', 'ALL', 'done&state=all']) {
    const { status, body } = await world.ask(`${path}?state=${state}`);
    assert.equal(status, 400, state);
    assert.match(body.detail, /state must be one of done, all/);
  }
});

test('retry sends quarantined files back to work: all, of a session, by name; unknown names count nothing', async (t) => {
  const world = await seeded(t);
  for (const name of ['a', 'b', 'c']) await quarantine(world, ONE, name);
  for (const name of ['d', 'e']) await quarantine(world, TWO, name);
  await done(world, ONE, 'fine');
  const retry = async (body?: unknown) => {
    const { status, body: answer, text } = await world.post('/v1/files/retry', body);
    assert.equal(status, 200, text);
    return answer.retried as number;
  };
  assert.equal(await retry({ filenames: ['nobody', 'fine', 'a', 'a', '../x', 'd\ud800'] }), 1);
  assert.equal(await world.queue.getJobState(jobId('a')), 'waiting');
  assert.deepEqual((await world.queue.getJob(jobId('a')))?.data, {
    date_prefix: '20260131',
    encoded_session: 'my%20session',
    filename: 'a',
  });
  const { body } = await world.ask('/v1/files/a');
  assert.deepEqual([body.state, body.why], ['queued', 'queued: retried, waits for an uploader']);
  assert.equal(await retry({ filenames: ['a'] }), 0);
  assert.equal(await retry({ filenames: [] }), 0);
  assert.equal(await retry({ session: '20260201/other', filenames: ['b', 'd'] }), 1);
  await world.queue.remove(jobId('e'));
  assert.equal(await retry({ session: '20260201/other' }), 1);
  assert.equal(await world.queue.getJobState(jobId('e')), 'waiting');
  assert.equal(await retry({ session: '20300101/none' }), 0);
  assert.equal(await retry(), 2);
  assert.equal(await retry({}), 0);
  assert.equal((await world.ask('/v1/status')).body.queue.failed, 0);
  for (const bad of [
    { filenames: 'a' },
    { filenames: [1] },
    { session: 5 },
    { session: 'x' },
    { file: 'a' },
    { filenames: new Array(10_001).fill('a') },
  ])
    assert.equal((await world.post('/v1/files/retry', bad)).status, 400, JSON.stringify(bad).slice(0, 60));
});

test('retry sends thousands back in one call', async (t) => {
  const world = await seeded(t);
  for (let i = 0; i < 1_100; i += 50)
    await Promise.all(Array.from({ length: 50 }, (_, j) => quarantine(world, ONE, `bad-${i + j}`)));
  assert.equal((await world.post('/v1/files/retry')).body.retried, 1_100);
  assert.equal((await world.ask('/v1/status')).body.queue.waiting, 1_100);
});

test('a job that was edited in Bull Board shows as what its job is', async (t) => {
  const world = await seeded(t);
  await world.moves.queued([{ session: ONE, filename: 'x', size: 1 }], '');
  await quarantine(world, TWO, 'x');
  const { body } = await world.ask('/v1/files/x');
  assert.deepEqual([body.session.encoded_session, body.state], ['other', 'failed']);
  // the job is the other session's: this record is not touched by it
  assert.deepEqual(
    body.others.map((other: any) => other.state),
    ['queued'],
  );
  await world.queue.getJob(jobId('x')).then((job) => job?.updateData({} as never));
  assert.equal((await world.ask('/v1/files/x')).body.state, 'failed');
});

test('status says what is wrong between the pods', async (t) => {
  const world = await seeded(t);
  const problems = async () => (await world.ask('/v1/status')).body.problems as string[];
  assert.deepEqual(await problems(), ['No live scanner: new files are not found, and nothing is recovered.']);
  await world.post('/v1/watch/start', { session_name: 's' });
  await world.pods.report(
    pod('scanner', {
      problems: ['The shared volume fails: ESTALE'],
      disk: {
        volume: { bytes_total: 100, bytes_free: 10, inodes_total: 100, inodes_free: 99 },
        staging: null,
      },
    }),
  );
  await world.incoming.publish(
    { seen: 5, settling: 2, held: 1, ignored: 1, oldest_age_s: 9, unexamined: 1 },
    new Map(),
    true,
  );
  assert.deepEqual(await problems(), [
    'scanner scanner-0: The shared volume fails: ESTALE',
    'scanner scanner-0: the shared volume is 90 % full',
    'No live uploader: nothing is moved.',
  ]);
  const { incoming } = (await world.ask('/v1/status')).body;
  assert.deepEqual(incoming, { seen: 5, settling: 2, held: 1, ignored: 1, oldest_age_s: 9 });
  await world.pods.report(pod('scanner', { sidecars: 'off' }));
  await world.pods.report(
    pod('uploader', {
      volume: 'v2',
      sidecars: 'optional',
      version: '0.0.9',
      hands: ['a', 'b'],
      disk: { volume: null, staging: { bytes_total: 0, bytes_free: 0, inodes_total: 10, inodes_free: 1 } },
    }),
  );
  await world.queue.pause();
  assert.deepEqual(await problems(), [
    'uploader uploader-0: its staging disk has used 90 % of its inodes',
    'The queue is paused: no new file is begun until it is resumed in Bull Board (/admin/queues).',
    'uploader uploader-0 has another volume than the scanner: v2 instead of v1.',
    'uploader uploader-0 has APP_SIDECAR_CHECKSUMS=optional and the scanner off; give all of them one value.',
    `Pods run different versions: 0.0.9, ${VERSION}.`,
  ]);
  const { name, data, opts } = uploadJob({ date_prefix: '20260131', encoded_session: 's', filename: 'q' });
  await world.queue.add(name, data, opts);
  const status = (await world.ask('/v1/status')).body;
  assert.equal(status.queue.waiting, 1);
  const uploader = status.pods.find((one: any) => one.role === 'uploader');
  assert.equal(uploader.in_hand, 2);
  assert.equal('hands' in uploader || 'rates' in uploader || 'sidecars' in uploader, false);
  await world.queue.resume();
  await world.pods.report(pod('uploader'));
  await world.pods.report(pod('scanner', { standby: true }));
  assert.match((await problems()).join(), /No scanner leads/);
});

test('events tell of files and sessions as it happens, to all who listen', async (t) => {
  const world = await seeded(t);
  const streams = await Promise.all([1, 2].map(() => fetch(`http://127.0.0.1:${world.app.port}/v1/events`)));
  const texts = ['', ''];
  streams.forEach((stream, i) => {
    assert.equal(stream.headers.get('content-type'), 'text/event-stream');
    void (async () => {
      for await (const chunk of stream.body ?? []) texts[i] += Buffer.from(chunk as Uint8Array).toString();
    })().catch(() => undefined);
  });
  await until('both listen', () => texts.every((text) => text.includes(': connected')));
  await world.post('/v1/watch/start', { session_name: 'my session' });
  await world.moves.begin({ session: ONE, filename: 'ü\n.bin', size: 200 }, 'r1', false, 'uploader-0');
  await world.moves.progress(ONE, 'ü\n.bin', 100);
  await until('both hear of it', () => texts.every((text) => text.includes('event: progress')));
  for (const text of texts) {
    const events = text.split('\n\n').filter((part) => part.startsWith('event:'));
    assert.deepEqual(
      events.map((event) => /^event: (\w+)\ndata: \{.*\}\nid: \d+-\d+$/.exec(event)?.[1]),
      ['session', 'file', 'progress'],
    );
    const progress = JSON.parse(/^data: (.*)$/m.exec(events[2] ?? '')?.[1] ?? '');
    assert.deepEqual(progress, {
      type: 'progress',
      filename: 'ü\n.bin',
      session: '20260131/my%20session',
      bytes: 100,
      size: 200,
    });
  }
  await world.redis.kill();
  await world.redis.start();
  await world.app.ready();
  await until('events go on after a restart of Redis', async () => {
    await world.post('/v1/watch/start', { session_name: `again ${Date.now()}` });
    return texts.every((text) => text.includes('again'));
  });
});
