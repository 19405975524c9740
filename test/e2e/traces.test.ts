import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jobId } from '@app/shared/domain';
import { jobKey } from '@app/shared/queue';
import { Collector, type SeenSpan } from '../support/collector.js';
import { freePort, seen, test, type TestContext, until, World } from '../support/index.js';

const SECRET = 'k-9f3b72d1';
const MIB = 1024 * 1024;

/** Stops both apps, and waits for their ends. */
async function stop(world: World): Promise<void> {
  for (const role of ['uploader', 'scanner'] as const)
    assert.deepEqual(await world.app(role).stop(), { code: 0, signal: null }, role);
}

async function collector(t: TestContext): Promise<Collector> {
  const started = await Collector.start();
  t.after(() => started.end());
  return started;
}

/** The spans below one, in the order of their beginning. */
function below(spans: readonly SeenSpan[], parent: SeenSpan): SeenSpan[] {
  return spans
    .filter(({ parentSpanId }) => parentSpanId === parent.spanId)
    .sort((a, b) => Number(a.began - b.began));
}

function named(spans: readonly SeenSpan[], name: string, file: string): SeenSpan[] {
  return spans
    .filter((span) => span.name === name && span.facts['file.name'] === file)
    .sort((a, b) => Number(a.began - b.began));
}

test('one trace from the scanner to the removal, over a retry, with its id in the log; SIGTERM sends what is left', async (t) => {
  const receiver = await collector(t);
  const world = await World.make(t, {
    proxy: true,
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_HEADERS: `x-key=${SECRET}`,
      // nothing goes before the stop
      OTEL_BSP_SCHEDULE_DELAY: '3600000',
    },
  });
  let refusals = 1;
  world.proxy!.rules = [
    {
      match: (request) => request.url?.includes('twice') === true && refusals-- > 0,
      fault: { kind: 'status', status: 400, code: 'InvalidInput' },
    },
  ];
  const session = await world.startSession('traced');
  world.drop('once', 1000);
  world.drop('twice', 9 * MIB);
  await world.done(2);
  assert.equal(receiver.requests.length, 0);
  const [uploader, scanner] = [world.app('uploader'), world.app('scanner')];
  await stop(world);

  assert.deepEqual([...new Set(receiver.requests.map(({ key }) => key))], [SECRET]);
  for (const file of ['once', 'twice']) {
    const [enqueue, ...more] = named(receiver.spans, 'enqueue', file);
    assert.ok(enqueue && more.length === 0, file);
    assert.deepEqual([enqueue.service, enqueue.parentSpanId, enqueue.kind], ['sluice-scanner', undefined, 4]);
    assert.equal(enqueue.facts['sluice.session'], session);
    const runs = below(receiver.spans, enqueue);
    assert.deepEqual(
      runs.map(({ name, service, kind, facts }) => [
        ...[name, service, kind, facts['sluice.attempt'], facts['sluice.outcome'], facts['file.size']],
      ]),
      file === 'once'
        ? [['run', 'sluice-uploader', 5, 1, 'done', 1000]]
        : [
            ['run', 'sluice-uploader', 5, 1, 'retry', 9 * MIB],
            ['run', 'sluice-uploader', 5, 2, 'done', 9 * MIB],
          ],
    );
    const steps = runs.map((run) => below(receiver.spans, run));
    for (const span of [...runs, ...steps.flat()]) {
      assert.equal(span.traceId, enqueue.traceId);
      assert.ok(span.began <= span.ended, span.name);
    }
    // each file is looked for before staging has room for it, and claimed after
    const whole = ['claim', 'reserve', 'claim', 'stage', 'upload', 'verify', 'remove'];
    const names = steps.map((spans) =>
      // the first file of a session finds no folder, and is claimed once more
      spans.map(({ name }) => name).filter((name, i, all) => name !== all[i - 1]),
    );
    assert.deepEqual(names.at(-1), whole);
    if (file === 'twice') {
      assert.deepEqual(names[0], whole.slice(0, 5));
      for (const span of [runs[0], steps[0]?.at(-1)]) {
        assert.deepEqual(span?.status, { code: 2, message: 'InvalidInput' }, span?.name);
        assert.equal(span?.facts['error.type'], 'InvalidInput');
      }
    }
    const well = [...steps.at(-1)!, runs.at(-1)!, enqueue];
    assert.deepEqual([...new Set(well.map(({ status }) => status.code ?? 0))], [0]);
    const lines = uploader.logs.filter((line) => line.file === file);
    assert.deepEqual([...new Set(lines.map((line) => line.trace_id))], [enqueue.traceId]);
    assert.equal(lines.length, runs.length);
  }
  for (const app of [uploader, scanner]) assert.ok(!app.stdout.includes(SECRET));
});

test('standard variables hold: the name of the service, the sampler, and protobuf where nothing else is asked for', async (t) => {
  const receiver = await collector(t);
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_BSP_SCHEDULE_DELAY: '3600000' };
  const world = await World.make(t, { start: ['api'], env });
  const scanner = await (await world.start('scanner', { OTEL_SERVICE_NAME: 'drop watcher' })).ready();
  const uploader = await (await world.start('uploader', { OTEL_TRACES_SAMPLER: 'always_off' })).ready();
  await world.startSession('s');
  world.drop('a.bin', 1000);
  await world.done(1);
  await stop(world);
  assert.deepEqual(
    receiver.requests.map(({ type }) => type),
    ['application/x-protobuf'],
    'the scanner alone',
  );
  const body = receiver.requests[0]?.body.toString('latin1') ?? '';
  assert.ok(body.includes('drop watcher') && body.includes('enqueue') && body.includes('a.bin'));
  assert.ok(!scanner.alive && !uploader.alive);
});

test('a collector that is away costs no file, and is said once, by a code alone', async (t) => {
  const port = await freePort();
  const world = await World.make(t, {
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://user:${SECRET}@127.0.0.1:${port}`,
      OTEL_EXPORTER_OTLP_HEADERS: `x-key=${SECRET}`,
      OTEL_EXPORTER_OTLP_TIMEOUT: '300',
      OTEL_BSP_SCHEDULE_DELAY: '100',
      APP_LOG_LEVEL: 'debug',
    },
  });
  const [uploader, scanner] = [world.app('uploader'), world.app('scanner')];
  const lost = (app: typeof uploader) =>
    app.logs.filter(({ msg }) => String(msg).startsWith('traces are lost')).map(({ code }) => code);
  await world.startSession('away');
  world.drop('first', 9 * MIB);
  await world.done(1);
  await until('both have said it', () => [uploader, scanner].every((app) => lost(app).length > 0));
  world.drop('second', 1000);
  await world.done(2);
  await stop(world);
  for (const app of [uploader, scanner]) {
    assert.deepEqual(lost(app), ['ECONNREFUSED'], app.role);
    assert.ok(!(app.stdout + app.stderr).includes(SECRET), app.role);
  }
  assert.equal((await world.blobs()).size, 2);
  seen(t, {
    fault: 'the collector of traces is away',
    injected: 'an address on which nobody listens',
    promised: 'no file waits for it, and it is said at most once in ten minutes',
    files: 2,
  });
});

test('a collector that does not answer holds up no stop', async (t) => {
  const receiver = await collector(t);
  receiver.answers = false;
  const world = await World.make(t, {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, APP_SHUTDOWN_GRACE_S: '1' },
  });
  const apps = [world.app('uploader'), world.app('scanner')];
  await world.startSession('s');
  world.drop('a.bin', 1000);
  await world.done(1);
  await until('both have sent theirs', () => receiver.requests.length >= 2);
  world.drop('b.bin', 1000);
  await world.done(2);
  await stop(world);
  // an export takes ten seconds to fail, and the deadline of the stop is five
  for (const app of apps) assert.equal(app.logs.at(-1)?.msg, 'stopped', app.role);
});

test('without OTEL_EXPORTER_OTLP_ENDPOINT no module of its SDK is loaded, and no job carries a trace', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-loaded-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  // as it ends, each process writes down what it has loaded; the types and stubs of @opentelemetry/api are prom-client's
  const probe = join(folder, 'probe.cjs');
  writeFileSync(
    probe,
    `process.on('exit', () => {
      const loaded = Object.keys(require.cache).filter((path) => /@opentelemetry.(?!api.)|runtime.otlp/.test(path));
      require('fs').writeFileSync('${folder}/' + process.env.APP_PORT, JSON.stringify(loaded));
    });`,
  );
  const NODE_OPTIONS = `--require=${probe}`;
  const world = await World.make(t, {
    start: ['api'],
    env: { NODE_OPTIONS, OTEL_SERVICE_NAME: 'not asked for' },
  });
  const receiver = await collector(t);
  const loadedBy = async (env: Record<string, string>) => {
    const apps = [await world.start('scanner', env), await world.start('uploader', env)];
    for (const app of apps) await app.ready();
    const before = (await world.status()).processed_ok;
    world.drop(`file-${before}`, 1000);
    await world.done(before + 1);
    const carried = await world.redis.use((client) =>
      client.hget(jobKey('{sluice}', jobId(`file-${before}`)), 'opts'),
    );
    await stop(world);
    return {
      carried,
      loaded: apps.map(({ port }) => JSON.parse(readFileSync(join(folder, String(port)), 'utf8')).length > 0),
    };
  };
  await world.startSession('s');
  const without = await loadedBy({ OTEL_EXPORTER_OTLP_ENDPOINT: '' });
  assert.deepEqual(without.loaded, [false, false]);
  assert.ok(without.carried?.includes('jobId') && !without.carried.includes('traceparent'));
  const asked = await loadedBy({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url });
  assert.deepEqual(asked.loaded, [true, true]);
  assert.match(asked.carried ?? '', /traceparent.*00-[0-9a-f]{32}-[0-9a-f]{16}-01/);
});
