/** Where a Redis is, as `APP_REDIS_URL` says it. */
export interface RedisPlace {
  /** `single` is one address; `sentinel` and `cluster` ask the addresses which server it is now. */
  readonly kind: 'single' | 'sentinel' | 'cluster';
  readonly tls: boolean;
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  /** Empty where the URL names none. */
  readonly user: string;
  /** Empty where the URL names none. */
  readonly password: string;
  readonly database: number;
  /** Which master of the Sentinels; empty for the other kinds. */
  readonly master: string;
}

const SHAPE = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^/?#]*)@)?([^/?#@]+)(\/[^?#]*)?$/i;
const PORTS = { single: 6379, sentinel: 26379, cluster: 6379 };

/**
 * Reads `redis://[user:pass@]host:port/<db>`, `redis+sentinel://[user:pass@]host:port[,host:port...]/<master>/<db>` or
 * `redis+cluster://[user:pass@]host:port[,host:port...]`; with `rediss` for TLS.
 *
 * @throws Error with a sentence that says what is wanted, and holds nothing of the text: it may be a secret
 */
export function parseRedisUrl(text: string): RedisPlace {
  const [, scheme, way, login, hosts = '', path = ''] = SHAPE.exec(text) ?? [];
  if (scheme === undefined)
    throw new Error(
      'must be a URL such as redis://user:password@host:6379/0, with rediss:// for TLS, redis+sentinel:// or ' +
        'redis+cluster:// for several hosts, special characters of the password percent-encoded, and no query',
    );
  const kind = (way?.toLowerCase() ?? 'single') as RedisPlace['kind'];
  const [user, password] = loginOf(login ?? '');
  const place = { kind, tls: scheme.toLowerCase() === 'rediss', hosts: hostsOf(hosts, kind), user, password };
  return { ...place, ...pathOf(path, kind) };
}

function loginOf(login: string): [string, string] {
  const colon = login.indexOf(':');
  try {
    const [user, password] = colon < 0 ? [login, ''] : [login.slice(0, colon), login.slice(colon + 1)];
    return [decodeURIComponent(user), decodeURIComponent(password)];
  } catch {
    throw new Error('has a user or password with a % that is not percent-encoded; write it as %25');
  }
}

function hostsOf(text: string, kind: RedisPlace['kind']): RedisPlace['hosts'] {
  const hosts = text.split(',').map((item) => {
    const [, host = '', port] = /^(\[[0-9a-f:.]+\]|[^:[\]\s]+)(?::(\d{1,5}))?$/i.exec(item.trim()) ?? [];
    const number = port === undefined ? PORTS[kind] : Number(port);
    if (host === '' || number < 1 || number > 65_535)
      throw new Error('must name each host as host:port, with commas between them');
    return { host: host.replace(/^\[|\]$/g, ''), port: number };
  });
  if (kind === 'single' && hosts.length > 1)
    throw new Error('names several hosts; write redis+sentinel:// or redis+cluster:// for them');
  return hosts;
}

function pathOf(path: string, kind: RedisPlace['kind']): { master: string; database: number } {
  const parts = path.split('/').slice(1);
  if (parts.at(-1) === '') parts.pop();
  if (kind === 'sentinel') {
    const [master = '', database = '0'] = parts;
    if (master === '' || parts.length > 2 || !/^\d+$/.test(database))
      throw new Error(
        'must name the master and the database, such as redis+sentinel://host:26379,host:26379/mymaster/0',
      );
    return { master: decodeURIComponent(master), database: Number(database) };
  }
  const [database = '0'] = parts;
  if (parts.length > 1 || !/^\d+$/.test(database))
    throw new Error('must end in a database number, such as redis://host:6379/0');
  if (kind === 'cluster' && Number(database) !== 0)
    throw new Error('names a database, but a cluster has database 0 alone; leave it out');
  return { master: '', database: Number(database) };
}
