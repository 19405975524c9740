import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { Child } from '../support/child.js';
import { test } from '../support/index.js';

const ROOMS = resolve(__dirname, '../../libs/shared/src');
/** What a process of this environment says of the spans that it begins, and what it logs. */
async function said(env: Record<string, string>): Promise<{ spans: any[]; warnings: string[] }> {
  const program = `
    const { openTracing, createLogger } = require('${ROOMS}/runtime');
    const config = require('${ROOMS}/config').parseConfig('scanner', process.env);
    void openTracing(config, 'pod', createLogger(config, 'pod')).then(async (tracing) => {
      const first = tracing.begin('first', 'producer', {});
      const carriers = [first.carrier, 'no JSON', 'null', '{}', '{"traceparent":"00-0-0-01"}'];
      const others = carriers.map((carrier) => tracing.begin('other', 'consumer', {}, carrier));
      console.log(JSON.stringify({ spans: [first, ...others] }));
      for (const span of [first, ...others]) span.end();
      await tracing.stop();
    });`;
  const child = new Child(process.execPath, ['-e', program], { PATH: process.env.PATH ?? '', ...env });
  const ended = await child.ended;
  assert.deepEqual(ended, { code: 0, signal: null }, child.stderr);
  const lines = child.logs;
  return {
    spans: lines.find((line) => 'spans' in line)?.spans as any[],
    warnings: lines.filter(({ level }) => level === 'warn').map(({ msg }) => String(msg)),
  };
}

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_EXPORTER_OTLP_TIMEOUT: '50' };

test('a span goes on below the one that its carrier names; one that cannot be read begins a new trace', async () => {
  const { spans } = await said(ENDPOINT);
  const [first, below, ...others] = spans.map(({ traceId }) => traceId as string);
  assert.match(first ?? '', /^[0-9a-f]{32}$/);
  assert.equal(below, first);
  assert.equal(new Set([first, ...others]).size, 5);
  assert.equal(JSON.parse(spans[0].carrier).traceparent.slice(0, 36), `00-${first}-`);
  assert.ok(spans[0].carrier.endsWith('-01"}'));
});

test('what is not sampled is not sampled below either', async () => {
  const { spans } = await said({ ...ENDPOINT, OTEL_TRACES_SAMPLER: 'always_off' });
  assert.ok(spans.every(({ carrier }) => carrier.endsWith('-00"}')));
});

test('traces that are not asked for, or cannot be sent as asked, are none; the second is said', async () => {
  const none = async (env: Record<string, string>) => {
    const { spans, warnings } = await said(env);
    assert.deepEqual(spans, [{}, {}, {}, {}, {}, {}], JSON.stringify(env));
    return warnings;
  };
  assert.deepEqual(await none({}), []);
  assert.deepEqual(await none({ OTEL_EXPORTER_OTLP_ENDPOINT: ' ' }), []);
  assert.deepEqual(await none({ ...ENDPOINT, OTEL_SDK_DISABLED: 'true' }), []);
  assert.deepEqual(await none({ ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none' }), []);
  assert.deepEqual(await none({ ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }), [
    'no traces are sent: OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf or http/json',
  ]);
  assert.deepEqual(await none({ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' }), [
    'no traces are sent: OTEL_EXPORTER_OTLP_ENDPOINT must be a URL such as http://collector:4318',
  ]);
});
