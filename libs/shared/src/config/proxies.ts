import { BlockList, isIP } from 'node:net';

/** The proxies of one process, as `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` name them. */
export interface Proxies {
  /** The proxy of `https:` URLs; null: none. It may hold a password. */
  readonly https: string | null;
  /** The proxy of `http:` URLs; null: none. It may hold a password. */
  readonly http: string | null;
  readonly except: readonly NoProxyEntry[];
}

/** One entry of `NO_PROXY`. */
export interface NoProxyEntry {
  /** Whether it means this host: in lower case, an IPv6 address without brackets. */
  readonly covers: (host: string) => boolean;
  /** The only port that it means; null: each. */
  readonly port: number | null;
}

/** Addresses of one's own link, an instance metadata service among them: no proxy can reach them for somebody else. */
const LINK_LOCAL = new BlockList();
LINK_LOCAL.addSubnet('169.254.0.0', 16, 'ipv4');
LINK_LOCAL.addSubnet('fe80::', 10, 'ipv6');

/**
 * The proxy of a URL, or null where it is reached directly. Addresses of the own link, such as the instance metadata
 * service 169.254.169.254, are always reached directly.
 */
export function proxyOf(url: URL, proxies: Proxies): URL | null {
  const secure = url.protocol === 'https:';
  const proxy = secure ? proxies.https : proxies.http;
  if (proxy === null) return null;
  const host = plainHost(url.hostname);
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port);
  const direct =
    inList(LINK_LOCAL, host) ||
    proxies.except.some((entry) => (entry.port === null || entry.port === port) && entry.covers(host));
  return direct ? null : new URL(proxy);
}

/**
 * Reads `NO_PROXY`: entries between commas or blanks, each `*`, a host, a suffix (`.example.com`, `*.example.com`), an
 * address or a CIDR range, with a port where `:port` follows. A host means its sub-domains too, with a dot before it or
 * without. Ranges mean the addresses that stand in URLs; no name is looked up.
 *
 * @throws Error with a sentence that says what is wanted
 */
export function parseNoProxy(text: string): NoProxyEntry[] {
  return text
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .map(parseEntry);
}

function parseEntry(entry: string): NoProxyEntry {
  const { host, port } = splitPort(entry);
  if (host === '*') return { port, covers: () => true };
  if (host.includes('/')) {
    const range = rangeOf(host);
    return { port, covers: (candidate) => inList(range, candidate) };
  }
  if (isIP(host) !== 0) {
    const one = new BlockList();
    one.addAddress(host, familyOf(host));
    return { port, covers: (candidate) => inList(one, candidate) };
  }
  const name = plainHost(host.replace(/^\*?\./, ''));
  if (!/^[^\s/*:@]+$/.test(name))
    throw new Error('must be hosts, suffixes, addresses or ranges such as .example.com,10.0.0.0/8,host:8080');
  return { port, covers: (candidate) => candidate === name || candidate.endsWith(`.${name}`) };
}

/** `host`, `host:port`, `[v6]:port`; a bare IPv6 address or range has no port. */
function splitPort(entry: string): { host: string; port: number | null } {
  const bracketed = /^\[([^\]]+)\](?::(\d+))?$/.exec(entry);
  const plain = bracketed ?? /^([^:]*):(\d+)$/.exec(entry);
  return plain
    ? { host: plain[1] ?? '', port: plain[2] === undefined ? null : Number(plain[2]) }
    : { host: entry, port: null };
}

function rangeOf(text: string): BlockList {
  const [address = '', prefix = '', ...more] = text.split('/');
  const bits = /^\d{1,3}$/.test(prefix) ? Number(prefix) : NaN;
  const most = isIP(address) === 4 ? 32 : isIP(address) === 6 ? 128 : -1;
  if (more.length > 0 || !(bits <= most))
    throw new Error('must hold ranges such as 10.0.0.0/8 or fd00::/8, and no URLs');
  const range = new BlockList();
  range.addSubnet(address, bits, familyOf(address));
  return range;
}

function inList(list: BlockList, host: string): boolean {
  return isIP(host) !== 0 && list.check(host, familyOf(host));
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}

/** As `URL.hostname` gives it, without the brackets of IPv6 and without the dot of the root. */
function plainHost(hostname: string): string {
  return hostname
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase();
}
