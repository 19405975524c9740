import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { AbstractConnector, Redis, type RedisOptions } from 'ioredis';
import { parseRedisUrl, type RedisPlace } from '../config/index.js';
import { RedisFault } from './faults.js';
import type { LiveOptions } from './live-redis.js';

/** A host and its port. */
interface Address {
  readonly host: string;
  readonly port: number;
}
/** What ioredis tells a connector of what it met. */
type Emit = (event: string, error: Error) => void;

/** How long one host may take to say which server it is; milliseconds. */
const ASK_MS = 2_000;
/** Between two rounds in which no host knew. */
const ROUND_MS = 500;

/** What ioredis needs to know of the place that a valid `APP_REDIS_URL` names. @param prefix of all keys */
export function placeOptions(url: string, prefix: string): LiveOptions {
  const place = parseRedisUrl(url);
  const [{ host, port } = { host: '', port: 0 }] = place.hosts;
  return {
    host,
    port,
    db: place.database,
    ...(place.user !== '' && { username: place.user }),
    ...(place.password !== '' && { password: place.password }),
    ...(place.tls && { tls: {} }),
    cluster: place.kind === 'cluster',
    ...(place.kind !== 'single' && { Connector: connectorOf(place, prefix) }),
  };
}

/**
 * A connector that asks, at each connection, which server is the one now. A cluster is connected to at the node that holds
 * the slot of the prefix: all keys are there, and MOVED makes the connection anew. ioredis' own Cluster would follow ASK
 * while a slot moves, where a script misses the keys that are still on their way.
 */
function connectorOf(place: RedisPlace, prefix: string) {
  return class extends AbstractConnector {
    private known: readonly Address[] = place.hosts;
    private turn = 0;

    private readonly options: RedisOptions;

    constructor(options: unknown) {
      super(ASK_MS);
      this.options = options as RedisOptions;
    }

    override async connect(emit: Emit): Promise<Socket> {
      this.connecting = true;
      for (;;) {
        const found = await this.round(emit);
        if (!this.connecting) throw new Error('Connection is closed.');
        if (found) return this.open(found);
        await new Promise((resolve) => setTimeout(resolve, ROUND_MS));
      }
    }

    /** Asks each host once, another one first each time: what one knows may be old. */
    private async round(emit: Emit): Promise<Address | null> {
      const { known } = this;
      for (let i = 0; i < known.length && this.connecting; i++) {
        const at = known[this.turn++ % known.length];
        if (!at) continue;
        try {
          if (place.kind === 'sentinel') return await masterOf(at, place, this.options);
          const { owner, nodes } = await ownerOf(at, prefix, this.options);
          this.known = unique([...place.hosts, ...nodes]);
          return owner;
        } catch (error) {
          if (this.connecting && error instanceof Error) emit('error', error);
        }
      }
      return null;
    }

    private open(to: Address): Socket {
      const stream: Socket = place.tls ? connectTls(to) : connectPlain(to);
      stream.once('error', (error) => (this.firstError = error));
      this.stream = stream;
      return stream;
    }
  };
}

function unique(addresses: readonly Address[]): Address[] {
  return [...new Map(addresses.map((at) => [`${at.host}:${at.port}`, at])).values()];
}

/** Asks a Sentinel, with the URL's login where it wants one. @throws RedisFault, or errors of the connection */
async function masterOf(at: Address, place: RedisPlace, options: RedisOptions): Promise<Address> {
  const asking = (login: Login) =>
    ask(at, options, login, (redis) => redis.call('SENTINEL', 'get-master-addr-by-name', place.master));
  const answer = await asking({}).catch((error: unknown) => {
    if (!/NOAUTH|NOPERM/.test(String(error))) throw error;
    return asking(loginOf(options));
  });
  if (!Array.isArray(answer))
    throw new RedisFault(
      `APP_REDIS_URL: the Sentinel ${at.host}:${at.port} knows no master "${place.master}"; name one of SENTINEL MASTERS`,
    );
  return { host: String(answer[0]), port: Number(answer[1]) };
}

/** Asks a node which one holds the slot of the prefix, and which others there are. */
async function ownerOf(
  at: Address,
  prefix: string,
  options: RedisOptions,
): Promise<{ owner: Address; nodes: Address[] }> {
  const [slot, slots] = await ask(at, options, loginOf(options), (redis) =>
    Promise.all([redis.call('CLUSTER', 'KEYSLOT', prefix), redis.call('CLUSTER', 'SLOTS')]),
  );
  const ranges = slots as [number, number, Node, ...Node[]][];
  // a node that does not know its own name means the host that was asked
  const address = ([host, port]: Node): Address => ({ host: host || at.host, port: Number(port) });
  const range = ranges.find(([first, last]) => first <= Number(slot) && Number(slot) <= last);
  if (!range) throw new Error(`CLUSTERDOWN no node of the cluster holds slot ${Number(slot)}`);
  return { owner: address(range[2]), nodes: ranges.flatMap(([, , ...nodes]) => nodes.map(address)) };
}

/** A node as CLUSTER SLOTS names it: its host, or nothing where it does not know that itself, and its port. */
type Node = [string | null, number];
type Login = Pick<RedisOptions, 'username' | 'password'>;

const loginOf = ({ username, password }: RedisOptions): Login => ({
  ...(username != null && { username }),
  ...(password != null && { password }),
});

/** Asks a host with a connection for this question alone. */
async function ask<T>(
  at: Address,
  { tls }: RedisOptions,
  login: Login,
  question: (redis: Redis) => Promise<T>,
): Promise<T> {
  const redis = new Redis({
    ...at,
    ...login,
    ...(tls && { tls }),
    lazyConnect: true,
    retryStrategy: null,
    enableReadyCheck: false,
    disableClientInfo: true,
    connectTimeout: ASK_MS,
    commandTimeout: ASK_MS,
  });
  const met: Error[] = [];
  redis.on('error', (error: Error) => met.push(error));
  try {
    await redis.connect();
    return await question(redis);
  } catch (error) {
    // "Connection is closed." says less than what closed it
    throw met[0] ?? error;
  } finally {
    redis.disconnect();
  }
}
