import type { Config } from '../config/index.js';
import type { Logger } from './logger.js';

/** What is said of a span, by OpenTelemetry's names where it has one, else `sluice.*`. */
export type SpanFacts = Readonly<Record<string, string | number>>;

/** One span of a trace. Without tracing it is nothing, and every call does nothing. */
export interface TraceSpan {
  /** 32 hex digits; undefined without tracing. */
  readonly traceId: string | undefined;
  /** By which another process goes on below this span: {@link Tracing.begin} takes it. Undefined without tracing. */
  readonly carrier: string | undefined;
  /**
   * Begins a span below this one.
   *
   * @param began milliseconds since 1970
   */
  child(name: string, began: number): TraceSpan;
  /**
   * Ends the span; call it once.
   *
   * @param failure the code of what failed: it alone is sent, since a message may name what is nobody's business
   * @param ended milliseconds since 1970; default: now
   */
  end(facts?: SpanFacts, failure?: string, ended?: number): void;
}

/** Traces of one process. */
export interface Tracing {
  /**
   * Begins a span: the first of a new trace, or one below that of another process.
   *
   * @param kind whether it hands work to others, or does what was handed over
   * @param parent a {@link TraceSpan.carrier}; one that cannot be read counts as none
   */
  begin(name: string, kind: 'producer' | 'consumer', facts: SpanFacts, parent?: string): TraceSpan;
  /** Sends what is left, for two seconds at the most. Never throws. */
  stop(): Promise<void>;
}

const NOTHING: TraceSpan = {
  traceId: undefined,
  carrier: undefined,
  child: () => NOTHING,
  end: () => undefined,
};

/** No traces. */
export const NO_TRACING: Tracing = { begin: () => NOTHING, stop: () => Promise.resolve() };

/**
 * Traces as `OTEL_*` asks for them. OpenTelemetry is loaded only where `OTEL_EXPORTER_OTLP_ENDPOINT` is set.
 *
 * @param pod the pod's name
 */
export async function openTracing(config: Config, pod: string, log: Logger): Promise<Tracing> {
  if (!config.traces) return NO_TRACING;
  // at the head of this file it would be loaded by everybody
  // eslint-disable-next-line no-restricted-syntax
  const { openOtlp } = await import('./otlp.js');
  return openOtlp(config.role, pod, log);
}

/** The code of an error, or its kind. */
export function failureCode(error: unknown): string {
  if (!(error instanceof Error)) return 'Error';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}
