import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type Span,
  type Tracer,
} from '@opentelemetry/api';
import {
  getBooleanFromEnv,
  getStringFromEnv,
  parseTraceParent,
  setGlobalErrorHandler,
} from '@opentelemetry/core';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { Role } from '../config/index.js';
import type { Logger } from './logger.js';
import { NO_TRACING, type TraceSpan, type Tracing } from './tracing.js';
import { VERSION } from './version.js';

// Loaded by tracing.ts, and only where traces are asked for. OpenTelemetry reads OTEL_* itself:
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/

/** A collector that is away is said so often; milliseconds. */
const WARN_EVERY_MS = 600_000;
/** How long a stop waits for what is left; milliseconds. */
const FLUSH_MS = 2_000;
const KINDS = { producer: SpanKind.PRODUCER, consumer: SpanKind.CONSUMER };

/** Opens traces that go to the collector which `OTEL_EXPORTER_OTLP_ENDPOINT` names, in batches, behind the work. */
export function openOtlp(role: Role, pod: string, log: Logger): Tracing {
  if (getBooleanFromEnv('OTEL_SDK_DISABLED') || getStringFromEnv('OTEL_TRACES_EXPORTER') === 'none')
    return NO_TRACING;
  const fault = faultOfSettings();
  if (fault !== null) {
    log.warn(`no traces are sent: ${fault}`);
    return NO_TRACING;
  }
  setGlobalErrorHandler(warning(log));
  const provider = new BasicTracerProvider({
    resource: defaultResource()
      .merge(
        resourceFromAttributes({
          'service.name': `sluice-${role}`,
          'service.version': VERSION,
          'service.instance.id': pod,
        }),
      )
      // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win
      .merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [
      new BatchSpanProcessor(protocol() === 'http/json' ? new JsonExporter() : new ProtobufExporter()),
    ],
  });
  const tracer = provider.getTracer('sluice', VERSION);
  return {
    begin: (name, kind, facts, parent) =>
      begin(tracer, name, { kind: KINDS[kind], attributes: facts }, contextOf(parent)),
    stop: async () => {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, FLUSH_MS)));
      await Promise.race([provider.shutdown().catch(() => undefined), late]);
      clearTimeout(timer);
    },
  };
}

function protocol(): string {
  return (
    getStringFromEnv('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL') ??
    getStringFromEnv('OTEL_EXPORTER_OTLP_PROTOCOL') ??
    'http/protobuf'
  );
}

/** Told instead of obeyed by halves: OpenTelemetry would send to another place than the one that is meant. */
function faultOfSettings(): string | null {
  if (!['http/json', 'http/protobuf'].includes(protocol()))
    return 'OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf or http/json';
  for (const name of ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT']) {
    const written = getStringFromEnv(name);
    if (written === undefined) continue;
    const url = URL.canParse(written) ? new URL(written) : null;
    if (!url || !['http:', 'https:'].includes(url.protocol))
      return `${name} must be a URL such as http://collector:4318`;
  }
  return null;
}

type Options = Parameters<Tracer['startSpan']>[1];

function begin(tracer: Tracer, name: string, options: Options, parent: Context): TraceSpan {
  const span: Span = tracer.startSpan(name, options, parent);
  const { traceId, spanId, traceFlags } = span.spanContext();
  const traceparent = `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
  return {
    traceId,
    // the form that bullmq-otel gives it
    carrier: JSON.stringify({ traceparent }),
    child: (childName, startTime) => begin(tracer, childName, { startTime }, trace.setSpan(parent, span)),
    end: (facts = {}, failure, ended) => {
      span.setAttributes(facts);
      if (failure !== undefined) {
        span.setAttribute('error.type', failure);
        span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
      }
      span.end(ended);
    },
  };
}

/** The span that a carrier names, as a context. */
function contextOf(carrier: string | undefined): Context {
  if (carrier === undefined) return ROOT_CONTEXT;
  try {
    const { traceparent } = JSON.parse(carrier) as { traceparent?: unknown };
    const parent = typeof traceparent === 'string' ? parseTraceParent(traceparent) : null;
    return parent ? trace.setSpanContext(ROOT_CONTEXT, { ...parent, isRemote: true }) : ROOT_CONTEXT;
  } catch {
    return ROOT_CONTEXT;
  }
}

/** Says that spans are lost, now and then, and by its code alone: the message is the collector's, or has its URL. */
function warning(log: Logger): (error: unknown) => void {
  let saidAt = -Infinity;
  return (error) => {
    if (performance.now() - saidAt < WARN_EVERY_MS) return;
    saidAt = performance.now();
    const code = (error as { code?: unknown } | null)?.code;
    const what =
      typeof code === 'number' ? `HTTP ${code}` : typeof code === 'string' ? code : 'no answer in time';
    log.warn(
      { code: what },
      'traces are lost: what OTEL_EXPORTER_OTLP_ENDPOINT names does not take them; files move all the same',
    );
  };
}
