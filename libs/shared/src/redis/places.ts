import type { RedisOptions } from 'ioredis';
import { parseRedisUrl } from '../config/index.js';

/** What ioredis needs to know of the place that a valid `APP_REDIS_URL` names. */
export function placeOptions(url: string): RedisOptions {
  const { hosts, tls, user, password, database } = parseRedisUrl(url);
  const [{ host, port } = { host: '', port: 0 }] = hosts;
  return {
    host,
    port,
    db: database,
    ...(user !== '' && { username: user }),
    ...(password !== '' && { password }),
    ...(tls && { tls: {} }),
  };
}
