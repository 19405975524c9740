import { posix } from 'node:path';
import { metadataFault, parsePairs, scopeFault, tagsFault, TIERS } from './labels.js';
import { splitPatterns } from './patterns.js';
import { parseNoProxy, type NoProxyEntry } from './proxies.js';
import { parseQuantity } from './quantity.js';
import { parseRedisUrl } from './redis-url.js';

/** The processes that read settings. */
export const ROLES = ['api', 'scanner', 'uploader'] as const;
/** One of {@link ROLES}. */
export type Role = (typeof ROLES)[number];

/** How a variable's text is read. `parse` returns the value, or throws a sentence that says what is wanted. */
interface Kind<T> {
  readonly type: string;
  /** The text, or the number or flag that it may be written as, in terms of JSON Schema; left out where any text will do. */
  readonly json?: Readonly<Record<string, unknown>>;
  readonly parse: (text: string) => T;
}

/** One variable of the contract: everything that the program, the README and `.env.example` know of it. */
export interface Variable<T = unknown> {
  readonly kind: Kind<T>;
  /** The text that stands for an unset variable; null where unset is a value of its own. */
  readonly default: string | null;
  /** What the default is called where no text can say it. */
  readonly defaultNote?: string;
  readonly secret?: true;
  /** Also read in lower case, which wins, as with other programs. */
  readonly lowerCaseToo?: true;
  /** Who must have it. */
  readonly requiredBy?: readonly Role[];
  readonly meaning: string;
}

const text: Kind<string> = { type: 'text', parse: (value) => value };
const flag: Kind<boolean> = {
  type: '`true` or `false`',
  json: { enum: [true, false, 'true', 'false'] },
  parse: (value) => {
    if (value === 'true' || value === 'false') return value === 'true';
    throw new Error('must be true or false');
  },
};
const path: Kind<string> = {
  type: 'absolute path',
  json: { type: 'string', pattern: '^/' },
  parse: (value) => {
    if (!value.startsWith('/')) throw new Error('must be an absolute path');
    // one folder has one spelling here, so that two settings that mean the same folder are seen
    const normal = posix.normalize(value);
    return normal === '/' ? normal : normal.replace(/\/$/, '');
  },
};
const url = (...schemes: string[]): Kind<string> => ({
  type: 'URL',
  json: { type: 'string', pattern: `^(${schemes.join('|')})://` },
  parse: (value) => {
    const parsed = URL.canParse(value) ? new URL(value) : null;
    if (!parsed || !schemes.includes(parsed.protocol.slice(0, -1)))
      throw new Error(
        `must be a URL that begins with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`,
      );
    return value.replace(/\/+$/, '');
  },
});
const accountUrl: Kind<string> = {
  type: 'URL',
  json: { type: 'string', pattern: '^https?://[^@?#]+$' },
  parse: (value) => {
    const plain = url('https', 'http').parse(value);
    const { username, password, search, hash } = new URL(value);
    if (username !== '' || password !== '' || search !== '' || hash !== '')
      throw new Error('must be the account alone, without a user, a query or a SAS token');
    return plain;
  },
};
const webhookUrl: Kind<string> = {
  type: 'URL',
  parse: (value) => {
    url('https', 'http').parse(value);
    const { username, password, hash } = new URL(value);
    if (username !== '' || password !== '' || hash !== '')
      throw new Error('must be a URL without a user, a password or a fragment');
    return value;
  },
};
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md: 24 to 64 bytes
const webhookSecret: Kind<string> = {
  type: '`whsec_` and base64',
  parse: (value) => {
    const [, encoded = ''] =
      /^whsec_((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?)$/.exec(value) ?? [];
    const bytes = Math.floor((encoded.replace(/=+$/, '').length * 3) / 4);
    if (bytes < 24 || bytes > 64)
      throw new Error(
        'must be whsec_ and the base64 of 24 to 64 random bytes: echo "whsec_$(openssl rand -base64 32)"',
      );
    return value;
  },
};
const redisUrl: Kind<string> = {
  type: 'URL',
  parse: (value) => {
    parseRedisUrl(value);
    return value;
  },
};
const whole = (least: number, most = Number.MAX_SAFE_INTEGER): Kind<number> => ({
  type: 'whole number',
  json: { type: ['integer', 'string'], minimum: least, maximum: most, pattern: '^[0-9]+$' },
  parse: (value) => {
    const number = /^\d+$/.test(value) ? Number(value) : NaN;
    if (!(number >= least && number <= most))
      throw new Error(
        most === Number.MAX_SAFE_INTEGER
          ? `must be a whole number, at least ${least}`
          : `must be a whole number from ${least} to ${most}`,
      );
    return number;
  },
});
const size = (least: number, most = Number.MAX_SAFE_INTEGER): Kind<number> => ({
  type: 'size',
  json: { type: ['integer', 'string'], minimum: least, maximum: most, pattern: '^[0-9]' },
  parse: (value) => {
    const bytes = parseQuantity(value);
    if (bytes === null) throw new Error('must be bytes or a quantity such as 8388608, 8Mi or 20Gi');
    if (bytes < least || bytes > most) throw new Error(`must be from ${least} to ${most} bytes`);
    return bytes;
  },
});
// a timer of Node past 2^31 ms fires at once; this leaves room for what is added to a setting
const SECONDS_MAX = 2_000_000;
/** Text in seconds, value in milliseconds. */
const seconds = (leastMs: number): Kind<number> => ({
  type: 'seconds',
  json: {
    type: ['number', 'string'],
    minimum: leastMs / 1000,
    maximum: SECONDS_MAX,
    pattern: '^[0-9]+([.][0-9]+)?$',
  },
  parse: (value) => {
    const number = /^\d+(\.\d+)?$/.test(value) ? Number(value) * 1000 : NaN;
    if (!(number >= leastMs && number <= SECONDS_MAX * 1000))
      throw new Error(`must be seconds, from ${leastMs / 1000} to ${SECONDS_MAX}`);
    return Math.round(number);
  },
});
const choice = <T extends string>(...values: T[]): Kind<T> => ({
  type: values.map((value) => `\`${value}\``).join(', '),
  // YAML reads a bare off as false
  json: { enum: values.includes('off' as never) ? [...values, false] : values },
  parse: (value) => {
    const found = values.find((candidate) => candidate === value);
    if (found === undefined) throw new Error(`must be one of ${values.join(', ')}`);
    return found;
  },
});
const patterns: Kind<string[]> = {
  type: 'comma-separated globs',
  parse: splitPatterns,
};
/** `key=value,...` that a rule of Azure's holds for. */
const pairs = (
  faultOf: (read: Readonly<Record<string, string>>) => string | null,
): Kind<Readonly<Record<string, string>>> => ({
  type: 'comma-separated `key=value`',
  parse: (value) => {
    const read = parsePairs(value);
    const fault = faultOf(read);
    if (fault !== null) throw new Error(fault);
    return read;
  },
});
const scope: Kind<string> = {
  type: 'text',
  json: { type: 'string', pattern: '^[a-z0-9-]{3,63}$' },
  parse: (value) => {
    const fault = scopeFault(value);
    if (fault !== null) throw new Error(fault);
    return value;
  },
};
const proxy: Kind<string> = {
  type: 'URL',
  parse: (value) => {
    const whole = value.includes('://') ? value : `http://${value}`;
    const parsed = URL.canParse(whole) ? new URL(whole) : null;
    if (!parsed || !['http:', 'https:'].includes(parsed.protocol) || parsed.hostname === '')
      throw new Error('must be a proxy such as http://user:password@proxy.example:3128');
    return whole;
  },
};
const noProxy: Kind<NoProxyEntry[]> = { type: 'comma-separated hosts', parse: parseNoProxy };

const define = <T>(variable: Variable<T>): Variable<T> => variable;
const MIB = 1024 * 1024;
// https://learn.microsoft.com/rest/api/storageservices/put-block and put-blob: the service's own ceilings
const AZURE_BLOCK_MAX = 4000 * MIB;
const AZURE_PUT_MAX = 5000 * MIB;

/** Every variable of the contract, section 4, in the order in which the README shows them. */
export const SCHEMA = {
  APP_AZURE_ACCOUNT_URL: define({
    kind: accountUrl,
    default: null,
    requiredBy: ['uploader'],
    meaning:
      'The storage account, `https://<account>.blob.core.windows.net`. This URL decides; a connection string with another endpoint is a fault.',
  }),
  APP_AZURE_CONTAINER: define({
    kind: text,
    default: null,
    requiredBy: ['uploader'],
    meaning: 'The container that receives the blobs, for instance `ingest`.',
  }),
  APP_AZURE_CREDENTIAL: define({
    kind: choice('auto', 'identity', 'sas', 'connection-string', 'account-key'),
    default: 'auto',
    meaning:
      'How to sign in. `auto` tries DefaultAzureCredential, then the SAS file, then the connection string, then the account key, each with 10 s and a write probe, and takes the first that passes.',
  }),
  APP_AZURE_SAS_FILE: define({
    kind: path,
    default: null,
    meaning:
      'File with a shared access signature (`sv=...&sig=...`), read again when it changes or is refused. It needs the rights read, add, create, write and delete on blobs.',
  }),
  APP_AZURE_CONNECTION_STRING: define({
    kind: text,
    default: null,
    secret: true,
    meaning: 'Fallback credential.',
  }),
  APP_AZURE_ACCOUNT_NAME: define({
    kind: text,
    default: null,
    meaning: 'Fallback credential, together with the key.',
  }),
  APP_AZURE_ACCOUNT_KEY: define({
    kind: text,
    default: null,
    secret: true,
    meaning: 'Fallback credential, together with the name.',
  }),
  APP_AZURE_CREATE_CONTAINER: define({
    kind: flag,
    default: 'false',
    meaning: 'Create a missing container at start; for local use.',
  }),
  APP_AZURE_MAX_BLOCK_SIZE: define({
    kind: size(1, AZURE_BLOCK_MAX),
    default: '8Mi',
    meaning: 'Bytes of a block. It grows by itself where a file would need over 50,000 blocks.',
  }),
  APP_AZURE_MAX_SINGLE_PUT_SIZE: define({
    kind: size(0, AZURE_PUT_MAX),
    default: '4Mi',
    meaning: 'A file of at most this many bytes goes up as one Put Blob.',
  }),
  APP_AZURE_MAX_CONCURRENCY: define({
    kind: whole(1, 1000),
    default: '8',
    meaning: 'Blocks in flight per file.',
  }),
  APP_BLOCK_MEMORY: define({
    kind: size(1),
    default: '64Mi',
    meaning:
      'Ceiling of all block buffers of one uploader. A block or single put above it is a configuration fault; a file whose grown block would pass it is quarantined as `FileTooLarge`.',
  }),
  APP_CONTENT_MD5: define({
    kind: flag,
    default: 'true',
    meaning:
      "Also take the whole file's MD5 and set it as the blob's Content-MD5, a label other tools check. `false` saves about half of the hashing.",
  }),
  APP_AZURE_ACCESS_TIER: define({
    kind: choice(...TIERS),
    default: null,
    defaultNote: "the account's",
    meaning: "Access tier of each blob. A session's own labels go before this and the next three.",
  }),
  APP_AZURE_TAGS: define({
    kind: pairs(tagsFault),
    default: '',
    meaning:
      'Index tags of each blob, at most 10. They need a right of their own: `Storage Blob Data Owner`, or `t` in a signature.',
  }),
  APP_AZURE_METADATA: define({
    kind: pairs(metadataFault),
    default: '',
    meaning: "Metadata of each blob, beside Sluice's own `mtime`, `size` and `sha256`.",
  }),
  APP_AZURE_ENCRYPTION_SCOPE: define({
    kind: scope,
    default: null,
    defaultNote: "the container's",
    meaning: 'Encryption scope of each blob.',
  }),
  APP_NFS_INCOMING_DIR: define({
    kind: path,
    default: '/mnt/nfs/incoming',
    meaning: 'Where producers drop files.',
  }),
  APP_NFS_PROCESSING_ROOT: define({
    kind: path,
    default: '/mnt/nfs/.processing',
    meaning: 'Where claimed files stand. On the same filesystem as the drop folder, proved at start.',
  }),
  APP_NFS_FAILED_ROOT: define({
    kind: path,
    default: '/mnt/nfs/.failed',
    meaning: 'Where quarantined files stand, with their reasons. On the same filesystem too.',
  }),
  APP_KEEP_DONE_S: define({
    kind: seconds(0),
    default: '0',
    meaning:
      'How long the source of a stored file is kept, in `APP_NFS_DONE_ROOT`, so that it can be brought back; 0: it is removed at once. The same for scanner and uploaders.',
  }),
  APP_NFS_DONE_ROOT: define({
    kind: path,
    default: '/mnt/nfs/.done',
    meaning:
      'Where they are kept, on the same filesystem too; used only where `APP_KEEP_DONE_S` is above 0. What stands in it is removed in time.',
  }),
  APP_KEEP_DONE_FREE: define({
    kind: size(0),
    default: '10Gi',
    meaning: 'Where the volume has less free than this, kept sources go earlier, oldest first.',
  }),
  APP_LOCAL_STAGING_ROOT: define({
    kind: path,
    default: '/mnt/staging',
    meaning: 'Local disk of one uploader alone.',
  }),
  APP_STAGING_LIMIT: define({
    kind: size(1),
    default: null,
    defaultNote: 'what the disk has',
    meaning:
      'Most bytes to stage at once; needed where a limit is not visible as disk size (an emptyDir `sizeLimit`).',
  }),
  APP_POLL_INTERVAL_S: define({ kind: seconds(50), default: '2.0', meaning: 'Time between two scans.' }),
  APP_MIN_FILE_AGE_S: define({
    kind: seconds(0),
    default: '5.0',
    meaning: 'How long a file must rest before it is taken.',
  }),
  APP_IGNORE_PATTERNS: define({
    kind: patterns,
    default: '',
    meaning:
      'Names to leave alone, e.g. `*.part,*.tmp` or `*.{part,tmp}`. Files and folders; a pattern that holds a slash is matched against the whole path, e.g. `raw/*`.',
  }),
  APP_SCAN_DEPTH: define({
    kind: whole(0, 16),
    default: '0',
    meaning:
      "How many levels of sub-folders of the drop folder are read; a file's name is then its path, such as `a/b/x.bin`, in the store too.",
  }),
  APP_EMPTY_FOLDER_AGE_S: define({
    kind: seconds(0),
    default: '3600',
    meaning:
      'How long a sub-folder that is read must have been empty and unchanged until it is removed; 0 removes none.',
  }),
  APP_SIDECAR_CHECKSUMS: define({
    kind: choice('off', 'optional', 'required'),
    default: 'off',
    meaning:
      'Whether `x.bin.sha256` or `x.bin.md5` beside `x.bin` is its checksum, compared with what was read and removed after the file. `required`: a file waits until it is there.',
  }),
  APP_MAX_QUEUE_SIZE: define({
    kind: whole(1, 1_000_000),
    default: '2000',
    meaning: 'Jobs waiting, delayed or active at which the scanner holds back.',
  }),
  APP_WORKER_CONCURRENCY: define({
    kind: whole(1, 1000),
    default: '4',
    meaning: 'Files at once per uploader.',
  }),
  APP_MAX_ATTEMPTS: define({ kind: whole(1, 1000), default: '5', meaning: 'Attempts before quarantine.' }),
  APP_RETRY_BACKOFF_S: define({
    kind: seconds(0),
    default: '2',
    meaning: 'First delay between attempts, doubled with jitter, at most 300 s.',
  }),
  APP_RECOVERY_INTERVAL_S: define({
    kind: seconds(100),
    default: '30',
    meaning: 'How often `.processing` and `.failed` are reconciled with the queue, besides at start.',
  }),
  APP_NFS_HANG_LIMIT_S: define({
    kind: seconds(100),
    default: '300',
    meaning: 'A file operation that hangs longer makes scanner and uploader unhealthy.',
  }),
  APP_SHUTDOWN_GRACE_S: define({
    kind: seconds(0),
    default: '25',
    meaning: 'How long running files may go on after SIGTERM.',
  }),
  APP_HISTORY_DAYS: define({
    kind: whole(1, 36_500),
    default: '30',
    meaning: 'Older records of done files and finished sessions go; counters and quarantined files stay.',
  }),
  APP_HISTORY_MAX_FILES: define({
    kind: whole(1),
    default: '100000',
    meaning: 'Most records of done files; a manifest says how many of its session it lacks.',
  }),
  APP_WRITE_MANIFEST: define({
    kind: flag,
    default: 'false',
    meaning: 'At each finish of a session store `.manifest.jsonl` in its folder.',
  }),
  APP_REDIS_URL: define({
    kind: redisUrl,
    default: 'redis://127.0.0.1:6379/0',
    secret: true,
    meaning:
      'Also `rediss://`, with user and password; database number included. Several hosts: `redis+sentinel://[user:password@]host:port[,host:port...]/<master>/<db>` or `redis+cluster://host:port[,host:port...]`, with `rediss+` for TLS.',
  }),
  APP_REDIS_CREDENTIAL: define({
    kind: choice('url', 'identity'),
    default: 'url',
    meaning:
      "How to sign in to Redis: with what the URL holds, or with Entra ID tokens of the pod's identity, renewed on every connection before they end. The user is the URL's, or the identity's object id.",
  }),
  APP_REDIS_PREFIX: define({
    kind: text,
    default: '{sluice}',
    meaning: 'First part of every key. The braces keep all keys in one slot of a Redis Cluster.',
  }),
  APP_REDIS_WAIT_REPLICAS: define({
    kind: whole(0, 100),
    default: '0',
    meaning:
      'So many replicas of Redis must have the receipt of a file before its source goes; 0 waits for none.',
  }),
  APP_API_TOKEN: define({
    kind: text,
    default: null,
    secret: true,
    meaning: 'Bearer token (or Basic password) that the api asks for.',
  }),
  APP_API_AUTH: define({
    kind: choice('none'),
    default: null,
    meaning: '`none` says that an api open to the network without a token is meant.',
  }),
  APP_WEBHOOK_URL: define({
    kind: webhookUrl,
    default: null,
    secret: true,
    meaning:
      'Where the api sends events: a session is complete or finished, a file is quarantined. `https://`, or `http://` inside of a cluster. See docs/batches.md.',
  }),
  APP_WEBHOOK_SECRET: define({
    kind: webhookSecret,
    default: null,
    secret: true,
    meaning:
      'What events are signed with, after Standard Webhooks: `whsec_` and the base64 of 24 to 64 random bytes.',
  }),
  APP_PORT: define({
    kind: whole(0, 65_535),
    default: '8000',
    meaning: 'Port of the api, and of probes and metrics of every process.',
  }),
  APP_BIND: define({
    kind: text,
    default: null,
    defaultNote: '`0.0.0.0`; api without token: `127.0.0.1`',
    meaning: 'Address to listen on.',
  }),
  APP_LOG_LEVEL: define({
    kind: choice('fatal', 'error', 'warn', 'info', 'debug', 'trace'),
    default: 'info',
    meaning: 'Least level that is logged.',
  }),
  APP_LOG_FORMAT: define({
    kind: choice('json', 'pretty'),
    default: 'json',
    meaning: '`pretty` is for people.',
  }),
  HTTPS_PROXY: define({
    kind: proxy,
    default: null,
    defaultNote: 'none',
    secret: true,
    lowerCaseToo: true,
    meaning:
      'Proxy of `https://` URLs: the store, sign-in, webhooks. `http://[user:password@]host:port`, or `https://` where the proxy itself speaks TLS.',
  }),
  HTTP_PROXY: define({
    kind: proxy,
    default: null,
    defaultNote: 'none',
    secret: true,
    lowerCaseToo: true,
    meaning: 'Proxy of `http://` URLs.',
  }),
  NO_PROXY: define({
    kind: noProxy,
    default: '',
    lowerCaseToo: true,
    meaning:
      'What is reached without a proxy: hosts (their sub-domains too), `.suffix`, addresses, CIDR ranges, each also with `:port`; `*` is all. 169.254.0.0/16 always is.',
  }),
};

/** The name of a variable. */
export type VariableName = keyof typeof SCHEMA;
/** The values of all variables, by name; null where unset without a default. */
export type Values = {
  [Name in VariableName]: (typeof SCHEMA)[Name] extends Variable<infer T> ? T | null : never;
};
