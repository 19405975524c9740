/** Redis cannot be used as `APP_REDIS_URL` says; the message is one line that says what to change, and holds no secret. */
export class RedisFault extends Error {
  override readonly name = 'RedisFault';
}

/** What an error says (its code and message), and what is to be done about it. */
const FAULTS: readonly (readonly [RegExp, string])[] = [
  [
    /\bWRONGPASS\b|\binvalid (username|password)/,
    'Redis refuses the user and password (WRONGPASS); set the right ones in the URL, special characters percent-encoded',
  ],
  [
    /\bNOAUTH\b/,
    'Redis asks for a password (NOAUTH), and the URL holds none; write redis://user:password@host:port/0',
  ],
  [
    /\bNOPERM\b/,
    'the user of the URL may not do what is needed (NOPERM); give it the ACL rule of docs/deploy.md, with all keys and channels of APP_REDIS_PREFIX',
  ],
  [
    /\b(MOVED|ASK) \d|SELECT is not allowed in cluster mode|\bCROSSSLOT\b/,
    'this Redis is a cluster; write redis+cluster://host:port (or rediss+cluster://) and no database number',
  ],
  [
    /cluster support disabled/,
    'this Redis is no cluster; write redis:// (or rediss://) instead of redis+cluster://',
  ],
  [
    /unknown command '?`?SENTINEL/i,
    'the host is no Sentinel; name the Sentinels with their port, 26379 most often, or write redis:// for a Redis',
  ],
  [
    /DB index is out of range/,
    'this Redis has no database of that number; take a smaller one, 0 is always there',
  ],
  [
    /SELF_SIGNED|UNABLE_TO_(VERIFY|GET)|CERT_UNTRUSTED|unable to (verify|get)|self.signed certificate/i,
    "the certificate of this Redis is signed by a CA that is not known here; set NODE_EXTRA_CA_CERTS to a file with that CA's certificate",
  ],
  [
    /CERT_HAS_EXPIRED|CERT_NOT_YET_VALID/,
    'the certificate of this Redis is not valid now; renew it, or set the clock',
  ],
  [
    /ERR_TLS_CERT_ALTNAME_INVALID/,
    'the certificate of this Redis is for another host name; write that name in the URL, and let Sentinels and clusters announce it',
  ],
  [
    /wrong version number|packet length too long|ERR_SSL_(WRONG|PACKET)/i,
    'this Redis speaks no TLS on that port; write redis:// instead of rediss://, or name its TLS port',
  ],
];

/** The fault that an error of a connection or command shows, where no waiting helps; null for any other. */
export function redisFault(error: unknown): RedisFault | null {
  if (error instanceof RedisFault) return error;
  if (!(error instanceof Error)) return null;
  const { code } = error as { code?: unknown };
  const text = `${typeof code === 'string' ? code : ''} ${error.message}`;
  const found = FAULTS.find(([sign]) => sign.test(text));
  return found ? new RedisFault(`APP_REDIS_URL: ${found[1]}`) : null;
}
