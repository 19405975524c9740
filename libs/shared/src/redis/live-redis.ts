import { Redis, type RedisOptions } from 'ioredis';
import type { RedisLogin } from './login.js';

/**
 * Seconds without a byte from the server after which a connection counts as dead. Above BullMQ's longest blocking call,
 * 10 s: https://docs.bullmq.io/guide/going-to-production
 */
export const SILENCE_S = 13;
/** A connection that heard nothing for so many seconds asks for a sign of life. */
const PING_EVERY_S = 4;
/** Waits this long after a server refused a command because of its role: it may still have it. Milliseconds. */
const REFUSED_WAIT_MS = 1_000;
/** Answers `reconnectOnError` may give: send the command again, on the next connection. */
const SEND_AGAIN = 2;

/**
 * What a server says that is not, or not yet, the one to ask: a demoted primary, one that loads its data, a replica
 * without its primary, a node of a cluster that does not hold the slot. The command was not carried out. Redis before 7
 * puts the word of an error inside a script behind the script's name.
 */
const NOT_THE_ONE = /(?:^|[\s-])(?:READONLY|LOADING|MASTERDOWN|UNBLOCKED|TRYAGAIN|CLUSTERDOWN) /;
/** The same of a node of a cluster. While a slot moves, its commands wait: see places.ts. */
const NOT_THE_NODE = /^(?:MOVED|ASK) /;

/** What Redis says to a login that it does not take. */
const REFUSED_LOGIN = /^(?:WRONGPASS|NOAUTH)/;
/** Between two tries to get a token; milliseconds. */
const TOKEN_AGAIN_MS = 1_000;

/** What ioredis keeps to itself of a connection that waits to begin. */
interface Closing {
  condition?: object;
  manuallyClosing: boolean;
  setStatus(status: string): void;
  flushQueue(error: Error): void;
}

/** How a connection lives; duplicates (BullMQ makes some) live in the same way. */
export interface LiveOptions extends Omit<RedisOptions, 'replyMapping'> {
  /** See {@link SILENCE_S}; for connections without blocking calls it may be shorter. */
  silenceS?: number;
  /** Whether the connector finds the right node of a cluster. */
  cluster?: boolean;
  /** Gives each connection its token; none where the URL's login holds. */
  login?: RedisLogin;
}

/**
 * A connection that does not outlive its server: it reconnects where the server says that it is not the one to ask, and
 * where it hears nothing, though it asked. So a failover that leaves old connections open ends them.
 */
export class LiveRedis extends Redis {
  private readonly asksForAnother;
  /** Set before this class' own constructor has run: the base connects in its own. */
  declare private opening: Promise<void> | null;

  constructor(private readonly given: LiveOptions) {
    let refused = false;
    const asksForAnother = (error: unknown): boolean =>
      error instanceof Error &&
      (NOT_THE_ONE.test(error.message) || (given.cluster === true && NOT_THE_NODE.test(error.message)));
    super({
      maxLoadingRetryTime: 1_000,
      connectTimeout: 5_000,
      ...given,
      retryStrategy: (times) => {
        const wait = refused ? REFUSED_WAIT_MS : Math.min(times * 100, 1_000);
        refused = false;
        return wait;
      },
      reconnectOnError: (error) => {
        if (!asksForAnother(error)) return false;
        refused = true;
        return SEND_AGAIN;
      },
    });
    this.asksForAnother = asksForAnother;
    // ioredis prints what nobody listens to
    this.on('error', () => undefined);
    this.on('connect', () => endWhenSilent(this, given.silenceS ?? SILENCE_S));
    const { login } = given;
    if (!login) return;
    this.on('ready', () => login.join(this));
    this.on('close', () => login.leave(this));
    this.on('error', (error: Error) => {
      if (REFUSED_LOGIN.test(error.message)) login.refused(this.options.password);
    });
  }

  /** Connects, with a token where tokens are used; while none comes, tries again and tells of it as an error. */
  override connect(): Promise<void> {
    const { login } = this.options as LiveOptions;
    if (!login) return super.connect();
    // commands that are sent before the first connection are kept, and look at this
    const self = this as unknown as Closing;
    self.condition ??= { select: this.options.db, subscriber: false, protocol: 3, replyMapping: 'legacy' };
    // whoever asks while a token is waited for waits for the same connection
    this.opening ??= this.connectWith(login).finally(() => (this.opening = null));
    return this.opening;
  }

  private async connectWith(login: RedisLogin): Promise<void> {
    const self = this as unknown as Closing;
    while (!self.manuallyClosing) {
      try {
        const { username, password } = await login.current();
        Object.assign(this.options, { username, password });
        if (!self.manuallyClosing) return await super.connect();
      } catch (error) {
        if (this.status !== 'wait' && this.status !== 'reconnecting' && this.status !== 'end') throw error;
        this.silentEmit('error', error);
        await new Promise((resolve) => setTimeout(resolve, TOKEN_AGAIN_MS));
      }
    }
    self.manuallyClosing = false;
    self.setStatus('end');
    self.flushQueue(new Error('Connection is closed.'));
    throw new Error('Connection is closed.');
  }

  /** A refused token costs no command: those that wait are kept for the next one. */
  override recoverFromFatalError(
    ...[command, error, options]: Parameters<Redis['recoverFromFatalError']>
  ): void {
    const kept = this.given.login && REFUSED_LOGIN.test(error.message) ? { offlineQueue: false } : options;
    super.recoverFromFatalError(command, error, kept);
  }

  override duplicate(override?: Partial<LiveOptions>): never {
    // no class can be declared to fit the base's type, which depends on the options
    return new LiveRedis({ ...this.given, ...override }) as never;
  }

  /**
   * INFO, or the server's version alone where the user may not ask for more: BullMQ and ioredis' ready check go on with
   * that, and print nothing.
   */
  override async info(...args: unknown[]): Promise<string> {
    const callback = args.at(-1);
    if (typeof callback === 'function') {
      const done = callback as (error: unknown, answer?: string) => void;
      this.info(...args.slice(0, -1)).then(
        (answer) => done(null, answer),
        (error: unknown) => done(error),
      );
      return '';
    }
    try {
      return await super.info(...(args as string[]));
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOPERM'))) throw error;
      const hello = await this.hello();
      return `redis_version:${String(hello[hello.indexOf('version') + 1])}\r\n`;
    }
  }

  /** The answers of a transaction hide what its commands met, which `reconnectOnError` never sees. */
  override sendCommand(...[command, stream]: Parameters<Redis['sendCommand']>): unknown {
    if (command.name === 'exec')
      command.promise.then(
        (answers) => {
          if (Array.isArray(answers) && answers.some(this.asksForAnother)) this.disconnect(true);
        },
        () => undefined,
      );
    return super.sendCommand(command, stream);
  }
}

/** Counts seconds of silence rather than looking at a clock: a process that was frozen must not blame its server. */
function endWhenSilent(redis: Redis, silenceS: number): void {
  const { stream } = redis;
  let [heard, silent] = [stream.bytesRead, 0];
  const timer = setInterval(() => {
    if (stream.bytesRead !== heard) return void ([heard, silent] = [stream.bytesRead, 0]);
    silent += 1;
    if (silent >= silenceS) stream.destroy(new Error(`Redis said nothing for ${silenceS} s`));
    else if (silent % PING_EVERY_S === 0 && redis.status === 'ready') redis.ping().catch(() => undefined);
  }, 1_000);
  timer.unref();
  stream.once('close', () => clearInterval(timer));
}
