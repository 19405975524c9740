import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { freePort } from './child.js';

/** How a {@link HttpProxy} behaves. */
export interface HttpProxyOptions {
  /** `user:password` that it asks for. */
  readonly login?: string;
  /** The port on this machine where a host of the outside is found, by name. */
  readonly hosts?: Readonly<Record<string, number>>;
}

/** A forward proxy, as companies have them: CONNECT for https, whole URLs for http. It can go away and come back. */
export class HttpProxy {
  /** What was asked for, `host:port`, once for each tunnel or plain request. */
  readonly asked: string[] = [];
  /** The local ports of its connections onward: whoever comes from another did not come through it. */
  readonly onwardPorts = new Set<number>();
  /** Requests without the right user and password. */
  refused = 0;
  /** Accepts connections and never answers a CONNECT. */
  silent = false;
  private server: Server | null = null;
  private readonly sockets = new Set<Duplex>();

  private constructor(
    private readonly options: HttpProxyOptions,
    readonly port: number,
  ) {}

  static async start(options: HttpProxyOptions = {}): Promise<HttpProxy> {
    const proxy = new HttpProxy(options, await freePort());
    await proxy.listen();
    return proxy;
  }

  /** Its URL, with user and password where it asks for them. */
  get url(): string {
    const login = this.options.login?.split(':').map(encodeURIComponent).join(':');
    return `http://${login ? `${login}@` : ''}127.0.0.1:${this.port}`;
  }

  /** Goes away: open connections are cut, new ones refused. Safe to repeat. */
  async refuse(): Promise<void> {
    const closed = new Promise<void>((done) => (this.server ? this.server.close(() => done()) : done()));
    this.server = null;
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  /** Comes (back). */
  async listen(): Promise<void> {
    this.server = createServer((incoming, answer) => this.plain(incoming, answer));
    this.server.on('connect', (incoming: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.tunnel(incoming, socket, head),
    );
    this.server.on('connection', (socket) => this.track(socket));
    await new Promise<void>((done) => this.server?.listen(this.port, '127.0.0.1', done));
  }

  /** Ends it. Safe to repeat. */
  async end(): Promise<void> {
    await this.refuse();
  }

  private tunnel(incoming: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => undefined);
    if (this.silent) return;
    if (!this.admits(incoming)) {
      socket.end(
        'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\ncontent-length: 0\r\n\r\n',
      );
      return;
    }
    const [host, port] = this.target(incoming.url ?? '');
    const onward = this.track(connect(port, host));
    onward.on('connect', () => {
      this.onwardPorts.add(onward.localPort ?? 0);
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      if (head.length > 0) onward.write(head);
      socket.pipe(onward).pipe(socket);
    });
    onward.on('error', () => socket.end('HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n'));
    onward.on('close', () => socket.destroy());
    socket.on('close', () => onward.destroy());
  }

  private plain(incoming: IncomingMessage, answer: ServerResponse): void {
    if (!this.admits(incoming)) {
      answer.writeHead(407, { 'proxy-authenticate': 'Basic' }).end();
      return;
    }
    const url = new URL(incoming.url ?? '');
    const [host, port] = this.target(`${url.hostname}:${url.port || 80}`);
    const { 'proxy-authorization': _login, 'proxy-connection': _kept, ...headers } = incoming.headers;
    const onward = request(
      { host, port, method: incoming.method, path: url.pathname + url.search, headers, agent: false },
      (response) => {
        answer.writeHead(response.statusCode ?? 502, response.rawHeaders);
        response.pipe(answer);
      },
    );
    onward.on('socket', (socket) => socket.on('connect', () => this.onwardPorts.add(socket.localPort ?? 0)));
    onward.on('error', () => answer.destroy());
    incoming.pipe(onward);
  }

  private admits({ headers }: IncomingMessage): boolean {
    const { login } = this.options;
    if (login === undefined) return true;
    const right = headers['proxy-authorization'] === `Basic ${Buffer.from(login).toString('base64')}`;
    if (!right) this.refused += 1;
    return right;
  }

  private target(asked: string): [host: string, port: number] {
    this.asked.push(asked);
    const [, host = '', port = ''] = /^\[?(.+?)\]?:(\d+)$/.exec(asked) ?? [];
    const here = this.options.hosts?.[host];
    return here === undefined ? [host, Number(port)] : ['127.0.0.1', here];
  }

  private track<T extends Socket>(socket: T): T {
    this.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.sockets.delete(socket));
    return socket;
  }
}
