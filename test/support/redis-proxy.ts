import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** What becomes of a command: it passes, its connection is cut before Redis sees it, or cut once Redis has done it. */
export type CommandFault = 'before' | 'after' | null;

/** One client, and what is known of what passed. */
interface Link {
  readonly client: Socket;
  readonly onward: Socket;
  sent: number;
  answered: number;
  /** The answer, counted from 1, that is not delivered any more. */
  cutAt: number;
}

/** A proxy before Redis that understands its protocol: it asks of each command what is to become of it. */
export class RedisProxy {
  port = 0;
  private server: Server | null = null;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly target: number,
    private readonly decide: (command: string) => CommandFault,
  ) {}

  /** @param decide gets a command's name, for scripts and functions with the name or digest that they are called by */
  static async start(target: number, decide: (command: string) => CommandFault): Promise<RedisProxy> {
    const proxy = new RedisProxy(target, decide);
    proxy.server = createServer((client) => proxy.accept(client));
    await new Promise<void>((done) => proxy.server?.listen(0, '127.0.0.1', done));
    proxy.port = (proxy.server.address() as AddressInfo).port;
    return proxy;
  }

  /** Ends it, and every connection. */
  async end(): Promise<void> {
    const closed = new Promise<void>((done) => (this.server ? this.server.close(() => done()) : done()));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private accept(client: Socket): void {
    const onward = connect(this.target, '127.0.0.1');
    const link: Link = { client, onward, sent: 0, answered: 0, cutAt: Infinity };
    for (const socket of [client, onward]) {
      this.sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.sockets.delete(socket);
        cut(link);
      });
    }
    eachFrame(client, (frame) => this.command(link, frame));
    eachFrame(onward, (frame) => this.answer(link, frame));
  }

  private command(link: Link, frame: Buffer): void {
    // what follows a command that is to be cut would never have been sent
    if (link.cutAt < Infinity || link.onward.destroyed) return;
    const fault = this.decide(nameOf(frame));
    if (fault === 'before') return cut(link);
    link.sent += 1;
    if (fault === 'after') link.cutAt = link.sent;
    link.onward.write(frame);
  }

  private answer(link: Link, frame: Buffer): void {
    // RESP3 pushes are nobody's answer
    if (frame[0] !== PUSH) link.answered += 1;
    if (link.answered >= link.cutAt) return cut(link);
    link.client.write(frame);
  }
}

function cut({ client, onward }: Link): void {
  if (!client.destroyed) client.resetAndDestroy();
  onward.destroy();
}

const PUSH = '>'.charCodeAt(0);
const EOL = '\r\n';

/** Calls back with each whole frame, in order. @see https://redis.io/docs/latest/develop/reference/protocol-spec/ */
function eachFrame(socket: Socket, each: (frame: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    for (let end = frameEnd(rest, 0); end > 0; end = frameEnd(rest, 0)) {
      const frame = rest.subarray(0, end);
      rest = rest.subarray(end);
      each(frame);
    }
  });
}

/** Where the frame that begins at `at` ends; -1 where it is not whole yet. */
function frameEnd(bytes: Buffer, at: number): number {
  const line = bytes.indexOf(EOL, at);
  if (line < 0) return -1;
  const type = String.fromCharCode(bytes[at] ?? 0);
  const end = line + EOL.length;
  if (!'$=!*~>%|'.includes(type)) return end;
  const count = Number(bytes.toString('latin1', at + 1, line));
  if (count < 0) return end;
  if ('$=!'.includes(type)) return end + count + EOL.length <= bytes.length ? end + count + EOL.length : -1;
  let next = end;
  // a map has pairs, and attributes stand before what they are about
  const frames = type === '%' ? 2 * count : type === '|' ? 2 * count + 1 : count;
  for (let i = 0; i < frames && next >= 0; i++) next = next < bytes.length ? frameEnd(bytes, next) : -1;
  return next;
}

/** The name of a command; of a script with what it is called by. */
function nameOf(frame: Buffer): string {
  // *<n> $<length> <name> $<length> <first argument>, each in a line
  const [, , name = '', , first = ''] = frame.toString('latin1', 0, 300).split(EOL);
  const command = name.toUpperCase();
  return /^(EVALSHA|FCALL|CLIENT)$/.test(command) ? `${command} ${first.slice(0, 12)}` : command;
}
