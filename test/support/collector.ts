import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One span, as OTLP has it in JSON, its attributes as an object. */
export interface SeenSpan {
  readonly name: string;
  /** Of the process that sent it. */
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
  /** None: the first of its trace. */
  readonly parentSpanId: string | undefined;
  /** 4: hands over to others, 5: does what was handed over. */
  readonly kind: number;
  readonly facts: Readonly<Record<string, string | number>>;
  /** 2: failed. */
  readonly status: { readonly code?: number; readonly message?: string };
  /** Nanoseconds since 1970. */
  readonly began: bigint;
  readonly ended: bigint;
}

/** A collector of OpenTelemetry that takes `/v1/traces`, and reads those that come as JSON. */
export class Collector {
  readonly spans: SeenSpan[] = [];
  /** What came, by its content type and its header `x-key`. */
  readonly requests: { type: string; key: string | undefined; body: Buffer }[] = [];

  /** Whether it answers; else it takes what comes, and stays silent. */
  answers = true;

  private constructor(private readonly server: Server) {}

  static async start(): Promise<Collector> {
    const server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const type = request.headers['content-type'] ?? '';
        const body = Buffer.concat(parts);
        const found = request.url === '/v1/traces';
        if (found)
          collector.requests.push({ type, key: request.headers['x-key'] as string | undefined, body });
        if (found && type === 'application/json')
          collector.spans.push(...spansOf(JSON.parse(body.toString())));
        if (!collector.answers) return;
        response
          .writeHead(found ? 200 : 404, { 'content-type': type })
          .end(type === 'application/json' ? '{}' : '');
      });
    });
    const collector = new Collector(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return collector;
  }

  /** What `OTEL_EXPORTER_OTLP_ENDPOINT` is to name. */
  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async end(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

function spansOf(sent: any): SeenSpan[] {
  return sent.resourceSpans.flatMap((one: any) =>
    one.scopeSpans.flatMap((scope: any) =>
      scope.spans.map((span: any) => ({
        ...span,
        service: factsOf(one.resource.attributes)['service.name'],
        facts: factsOf(span.attributes),
        began: BigInt(span.startTimeUnixNano),
        ended: BigInt(span.endTimeUnixNano),
      })),
    ),
  );
}

function factsOf(attributes: { key: string; value: Record<string, string | number> }[]) {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0] ?? '']));
}
