import { Transform } from 'node:stream';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from './child.js';

/** One client and its connection onward. */
interface Pair {
  readonly client: Socket;
  readonly onward: Socket;
}

/** A proxy before any server (Redis, say) that can refuse, reset and stall. What passes is not looked at. */
export class TcpProxy {
  /** How much later what new connections carry arrives, in each direction; milliseconds. */
  delayMs = 0;
  /** Connections that were accepted so far. */
  accepted = 0;
  private server: Server | null = null;
  private stalling = false;
  private resetting = false;
  private readonly pairs = new Set<Pair>();
  private readonly hushed: Pair[] = [];

  private constructor(
    private target: number,
    readonly port: number,
  ) {}

  static async start(target: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(target, await freePort());
    await proxy.listen();
    return proxy;
  }

  /** Everything passes (again); what was stalled goes on. */
  async pass(): Promise<void> {
    this.resetting = false;
    this.stalling = false;
    for (const { client, onward } of this.pairs) {
      client.pipe(onward);
      onward.pipe(client);
    }
    if (!this.server) await this.listen();
  }

  /** Refuses connections from now on, and cuts those that are open. Safe to repeat. */
  async refuse(): Promise<void> {
    const closed = new Promise<void>((done) => (this.server ? this.server.close(() => done()) : done()));
    this.server = null;
    this.cut();
    await closed;
  }

  /** Accepts connections and resets them, and those that are open. */
  reset(): void {
    this.resetting = true;
    this.cut();
  }

  /** Accepts connections, and passes nothing on, in no direction, until {@link pass}. Nothing is lost. */
  stall(): void {
    this.stalling = true;
    for (const { client, onward } of this.pairs) {
      client.unpipe(onward).pause();
      onward.unpipe(client).pause();
    }
  }

  /** The connections that are open fall silent, in both directions, and stay open; new ones pass, to this port. */
  hush(target = this.target): void {
    this.target = target;
    for (const { client, onward } of this.pairs) {
      client.unpipe(onward).resume();
      onward.unpipe(client).resume();
    }
    // what a hushed client closes must not end a new connection, nor does pass() wake it
    this.hushed.push(...this.pairs);
    this.pairs.clear();
  }

  /** New connections go to this port; those that are open stay where they are. */
  aim(target: number): void {
    this.target = target;
  }

  /** Cuts the connections that are open; new ones pass. */
  cut(): void {
    for (const { client, onward } of this.pairs) {
      client.resetAndDestroy();
      onward.destroy();
    }
  }

  /** Ends it. Safe to repeat. */
  async end(): Promise<void> {
    for (const { client, onward } of this.hushed) for (const socket of [client, onward]) socket.destroy();
    await this.refuse();
  }

  private async listen(): Promise<void> {
    this.server = createServer((client) => this.accept(client));
    await new Promise<void>((done) => this.server?.listen(this.port, '127.0.0.1', done));
  }

  private accept(client: Socket): void {
    this.accepted += 1;
    client.on('error', () => undefined);
    if (this.resetting) return void client.resetAndDestroy();
    const onward = connect(this.target, '127.0.0.1');
    const pair = { client, onward };
    this.pairs.add(pair);
    onward.on('error', () => client.resetAndDestroy());
    for (const [one, other] of [
      [client, onward],
      [onward, client],
    ] as const)
      one.on('close', () => {
        this.pairs.delete(pair);
        other.destroySoon();
      });
    if (this.stalling) return;
    if (this.delayMs > 0) {
      client.pipe(late(this.delayMs)).pipe(onward);
      onward.pipe(late(this.delayMs)).pipe(client);
      return;
    }
    client.pipe(onward);
    onward.pipe(client);
  }
}

/** Passes everything on so much later; what comes in between waits no longer for it. */
function late(ms: number): Transform {
  return new Transform({
    transform(piece, _encoding, done) {
      setTimeout(() => this.push(piece), ms);
      done();
    },
  });
}
