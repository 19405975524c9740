import type { Redis } from 'ioredis';
import { parseRedisUrl, type Proxies } from '../config/index.js';
import { LiveRedis, type LiveOptions } from './live-redis.js';
import { RedisLogin } from './login.js';
import { placeOptions } from './places.js';

/** Called with each connection error, one line of text; Redis being away is a state here, not an exception. */
export type OnRedisError = (message: string) => void;

/** Which Redis, and the prefix of all keys there. */
export interface RedisSettings {
  /** A valid `APP_REDIS_URL`. */
  readonly url: string;
  readonly prefix: string;
  /** `identity` signs in with tokens of Entra ID; `url` with what the URL holds. */
  readonly credential: 'url' | 'identity';
  /** What token requests go through; default: nothing. */
  readonly proxies?: Proxies;
}

/** How long a request of the api may wait for Redis before it answers 503; milliseconds. */
export const REQUEST_TIMEOUT_MS = 800;
/** After so many seconds without a byte such a connection is made anew; nothing blocks on it. */
const REQUEST_SILENCE_S = 5;

/**
 * A connection for calls that a person waits for: every command answers or fails within {@link REQUEST_TIMEOUT_MS},
 * also while Redis is away or hangs. Reconnects by itself.
 */
export function connectForRequests(settings: RedisSettings, onError: OnRedisError): Redis {
  return connect(settings, onError, {
    // a command that would have to wait for a reconnect is a 503 now
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: REQUEST_TIMEOUT_MS,
    connectTimeout: 2 * REQUEST_TIMEOUT_MS,
    silenceS: REQUEST_SILENCE_S,
  });
}

/** A connection for work that waits: commands are kept until Redis is back. Reconnects by itself. */
export function connectForWork(settings: RedisSettings, onError: OnRedisError): Redis {
  // BullMQ's workers require null: https://docs.bullmq.io/bull-101/connections
  const redis = connect(settings, onError, { maxRetriesPerRequest: null });
  writeTogether(redis);
  return redis;
}

/**
 * Lets all commands of one turn of the event loop leave in one write: each write is a system call, here and at Redis.
 * Their order stays. (ioredis' own way, `enableAutoPipelining`, costs more than it saves with scripts.)
 */
function writeTogether(redis: Redis): void {
  const send = redis.sendCommand.bind(redis);
  let corked: Redis['stream'] | null = null;
  redis.sendCommand = (command, stream) => {
    // there is none before the first connection
    const socket = redis.stream as Redis['stream'] | undefined;
    if (socket && socket !== corked) {
      corked = socket;
      socket.cork();
      setImmediate(() => {
        if (corked === socket) corked = null;
        socket.uncork();
      });
    }
    return send(command, stream);
  };
}

function connect(settings: RedisSettings, onError: OnRedisError, options: LiveOptions): Redis {
  const redis = new LiveRedis({
    ...placeOptions(settings.url, settings.prefix),
    ...loginOf(settings),
    ...options,
  });
  redis.on('error', (error: Error) => onError(error.message || error.name));
  return redis;
}

/** One login serves all connections of the same settings: one token at a time, whatever their number. */
const logins = new WeakMap<RedisSettings, RedisLogin>();

const NO_PROXIES: Proxies = { https: null, http: null, except: [] };

function loginOf(settings: RedisSettings): { login?: RedisLogin } {
  if (settings.credential !== 'identity') return {};
  const { url, proxies = NO_PROXIES } = settings;
  const login = logins.get(settings) ?? new RedisLogin(parseRedisUrl(url).user, proxies);
  logins.set(settings, login);
  return { login };
}

/** How each place that gives tokens for Redis was reached so far, without secrets; none where the URL's login holds. */
export function tokenRoutes(settings: RedisSettings): Record<string, string> {
  return logins.get(settings)?.routes() ?? {};
}

/** Ends a connection; safe to repeat, never waits for a server that is away. */
export async function disconnect(redis: Redis): Promise<void> {
  if (redis.status === 'end') return;
  if (redis.status !== 'ready') return redis.disconnect();
  const timer = setTimeout(() => redis.disconnect(), REQUEST_TIMEOUT_MS);
  await redis.quit().catch(() => redis.disconnect());
  clearTimeout(timer);
}
