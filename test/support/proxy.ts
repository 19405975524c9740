import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import { freePort } from './child.js';

/** What the proxy does with a request that a rule matches. */
export type Fault =
  | { readonly kind: 'reset' }
  | { readonly kind: 'stall' }
  | { readonly kind: 'status'; readonly status: number; readonly code: string }
  /** Something else answers: a page of HTML, as proxies and captive portals send, with this status. */
  | { readonly kind: 'page'; readonly status: number; readonly location?: string }
  /** What answers speaks no HTTP. */
  | { readonly kind: 'babble' }
  /** This very text is the answer, and then the connection ends. */
  | { readonly kind: 'raw'; readonly text: string }
  | { readonly kind: 'damage' }
  /** Its answer has other headers; null: without that one. */
  | { readonly kind: 'headers'; readonly headers: Readonly<Record<string, string | null>> }
  /** It is done, but its answer never comes. */
  | { readonly kind: 'lose-answer' }
  /** It is held, whole, until {@link Proxy.release}, and then goes on. */
  | { readonly kind: 'hold' }
  /** It goes on after so many milliseconds. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** So many bytes of its body are sent on, then both connections are cut. */
  | { readonly kind: 'cut'; readonly afterBytes: number };

/** A rule: the first whose `match` says yes decides; none: the request passes. */
export interface Rule {
  readonly match: (request: IncomingMessage) => boolean;
  readonly fault: Fault;
}

/** An HTTP proxy before the store, which can be told to misbehave, and which counts what passes. */
export class Proxy {
  private server: Server | null = null;
  private readonly sockets = new Set<Socket>();
  rules: Rule[] = [];
  /** Bytes of request bodies of Put Block and Put Blob that were sent on. */
  uploadedBytes = 0;
  /** Requests by kind: `PUT block`, `PUT blocklist`, `PUT`, `GET blocklist`, `HEAD`. */
  readonly counts = new Map<string, number>();
  /** Bytes a second a connection may send; 0 is no limit. */
  bytesPerSecond = 0;

  private constructor(
    private readonly target: number,
    readonly port: number,
  ) {}

  static async start(target: number): Promise<Proxy> {
    const proxy = new Proxy(target, await freePort());
    await proxy.listen();
    return proxy;
  }

  /** Listens (again); until then connections are refused. */
  async listen(): Promise<void> {
    this.server = createServer((request, response) => this.serve(request, response));
    this.server.keepAliveTimeout = 60_000;
    this.server.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
      socket.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => this.server?.listen(this.port, '127.0.0.1', resolve));
  }

  /** Refuses connections from now on, and cuts those that are open. */
  async refuse(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server?.close(() => resolve()) ?? resolve());
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  /** Every request meets this fault. */
  always(fault: Fault): void {
    this.rules = [{ match: () => true, fault }];
  }

  /** Requests that are held go on, and so do later ones. */
  release(): void {
    this.rules = this.rules.filter((rule) => rule.fault.kind !== 'hold');
    for (const { goOn } of this.held.splice(0)) goOn();
  }

  /** Requests that are held are answered with an error; later ones go on. */
  refuseHeld(status: number, code: string): void {
    this.rules = this.rules.filter((rule) => rule.fault.kind !== 'hold');
    for (const { refuse } of this.held.splice(0)) refuse(status, code);
  }

  /** Requests that are held now. */
  get holding(): number {
    return this.held.length;
  }

  /** Everything passes again; what was stalled is cut. */
  pass(): void {
    this.rules = [];
    this.release();
    for (const response of this.stalled.splice(0)) response.socket?.destroy();
  }

  private readonly stalled: ServerResponse[] = [];
  private readonly held: { goOn: () => void; refuse: (status: number, code: string) => void }[] = [];

  private serve(request: IncomingMessage, response: ServerResponse): void {
    const comp = new URL(request.url ?? '', 'http://x').searchParams.get('comp');
    const kind = [request.method, comp].filter(Boolean).join(' ');
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    const fault = this.rules.find((rule) => rule.match(request))?.fault;
    if (fault?.kind === 'reset') return void request.socket.destroy();
    if (fault?.kind === 'babble') return void request.socket.end('220 mail.example ESMTP\r\n');
    if (fault?.kind === 'raw') return void request.resume().on('end', () => request.socket.end(fault.text));
    if (fault?.kind === 'page') {
      request.resume();
      const { status, location } = fault;
      response.writeHead(status, { 'content-type': 'text/html', ...(location && { location }) });
      return void response.end('<html><body><h1>Please sign in</h1></body></html>');
    }
    if (fault?.kind === 'stall') return void this.stalled.push(response);
    const refuse = (status: number, code: string): void => {
      request.resume();
      response.writeHead(status, { 'x-ms-error-code': code, 'content-type': 'application/xml' });
      response.end(
        `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>injected</Message></Error>`,
      );
    };
    if (fault?.kind === 'status') return refuse(fault.status, fault.code);
    const goOn = (): void => this.forward(request, response, comp, fault);
    if (fault?.kind === 'hold') this.held.push({ goOn, refuse });
    else if (fault?.kind === 'delay') setTimeout(goOn, fault.ms);
    else goOn();
  }

  private forward(
    request: IncomingMessage,
    response: ServerResponse,
    comp: string | null,
    fault: Fault | undefined,
  ): void {
    const counts = request.method === 'PUT' && (comp === 'block' || comp === null);
    const onward = httpRequest(
      {
        port: this.target,
        host: '127.0.0.1',
        method: request.method,
        path: request.url,
        headers: request.headers,
      },
      (answer) => {
        if (fault?.kind === 'lose-answer') return void request.socket.destroy();
        const others = fault?.kind === 'headers' ? fault.headers : {};
        response.writeHead(answer.statusCode ?? 502, withHeaders(answer.rawHeaders, others));
        answer.pipe(response);
      },
    );
    onward.on('error', () => request.socket.destroy());
    request.on('error', () => onward.destroy());
    request.on('aborted', () => onward.destroy());
    let damaged = fault?.kind !== 'damage';
    let left = fault?.kind === 'cut' ? fault.afterBytes : Infinity;
    request.on('data', (chunk: Buffer) => {
      if (chunk.length > left) {
        request.pause();
        onward.write(chunk.subarray(0, left), () => {
          onward.destroy();
          request.socket.destroy();
        });
        return;
      }
      left -= chunk.length;
      if (counts) this.uploadedBytes += chunk.length;
      if (!damaged && chunk.length > 0) {
        damaged = true;
        chunk[0] = (chunk[0] ?? 0) ^ 0xff;
      }
      const more = onward.write(chunk);
      const wait = this.bytesPerSecond > 0 ? (1000 * chunk.length) / this.bytesPerSecond : 0;
      if (wait > 0) {
        request.pause();
        setTimeout(() => request.resume(), wait);
      } else if (!more) {
        request.pause();
        onward.once('drain', () => request.resume());
      }
    });
    request.on('end', () => onward.end());
  }

  async end(): Promise<void> {
    this.rules = [];
    this.held.length = 0;
    await this.refuse();
  }
}

/** Headers as names and values in turn, with some exchanged. */
function withHeaders(raw: readonly string[], others: Readonly<Record<string, string | null>>): string[] {
  const kept = raw.filter((_, i) => !((raw[i - (i % 2)] ?? '').toLowerCase() in others));
  return [
    ...kept,
    ...Object.entries(others).flatMap(([name, value]) => (value === null ? [] : [name, value])),
  ];
}
