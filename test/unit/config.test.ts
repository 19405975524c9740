import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  ConfigError,
  connectionStringEndpoint,
  isLoopback,
  parseConfig,
  parseRedisUrl,
  parseQuantity,
  ROLES,
  SCHEMA,
  secretsOf,
  unknownVariables,
  type Role,
  type Variable,
} from '@app/shared/config';
import { test } from '../support/index.js';

const KEY = 'c2VjcmV0LWtleS1ub2JvZHktbWF5LXNlZQ==';
const azure = { APP_AZURE_ACCOUNT_URL: 'https://acme.blob.core.windows.net', APP_AZURE_CONTAINER: 'ingest' };
const connection = (account = 'acme') =>
  `DefaultEndpointsProtocol=https;AccountName=${account};AccountKey=${KEY};EndpointSuffix=core.windows.net`;

function faultsOf(role: Role, env: Record<string, string>): readonly string[] {
  try {
    parseConfig(role, env);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    for (const fault of error.faults)
      assert.ok(!fault.includes('\n') && /^(APP_|HTTPS?_PROXY|NO_PROXY)/.test(fault), fault);
    return error.faults;
  }
  return [];
}
const uploaderFaults = (env: Record<string, string>): readonly string[] =>
  faultsOf('uploader', { ...azure, ...env });

test('the defaults are those of the contract', () => {
  const { role, ...config } = parseConfig('uploader', azure);
  assert.equal(role, 'uploader');
  assert.deepEqual(config, {
    azure: {
      accountUrl: 'https://acme.blob.core.windows.net',
      container: 'ingest',
      credential: 'auto',
      identityGiven: false,
      sasFile: null,
      connectionString: null,
      accountName: null,
      accountKey: null,
      createContainer: false,
      maxConcurrency: 8,
      contentMd5: true,
    },
    labels: { tier: null, tags: {}, metadata: {}, encryptionScope: null },
    blocks: { maxBlockSize: 8 * 2 ** 20, maxSinglePutSize: 4 * 2 ** 20, blockMemory: 64 * 2 ** 20 },
    roots: { incoming: '/mnt/nfs/incoming', processing: '/mnt/nfs/.processing', failed: '/mnt/nfs/.failed' },
    keepDone: { ms: 0, freeBytes: 10 * 1024 ** 3 },
    staging: { root: '/mnt/staging', limitBytes: null },
    scan: {
      pollIntervalMs: 2_000,
      minFileAgeMs: 5_000,
      ignorePatterns: [],
      depth: 0,
      emptyFolderAgeMs: 3_600_000,
      maxQueueSize: 2_000,
      recoveryIntervalMs: 30_000,
      sidecars: 'off',
    },
    upload: { concurrency: 4, maxAttempts: 5, retryBackoffMs: 2_000, writeManifest: false },
    nfsHangLimitMs: 300_000,
    shutdownGraceMs: 25_000,
    history: { days: 30, maxFiles: 100_000 },
    redis: {
      url: 'redis://127.0.0.1:6379/0',
      prefix: '{sluice}',
      waitReplicas: 0,
      credential: 'url',
      proxies: { https: null, http: null, except: [] },
    },
    webhook: null,
    api: { token: null, open: false },
    http: { port: 8000, bind: '0.0.0.0' },
    proxies: { https: null, http: null, except: [] },
    traces: false,
    log: { level: 'info', format: 'json' },
  });
});

test('the contract has these variables, and no other', () => {
  assert.deepEqual(
    Object.keys(SCHEMA).sort(),
    `APP_AZURE_ACCOUNT_URL APP_AZURE_CONTAINER APP_AZURE_CREDENTIAL APP_AZURE_SAS_FILE APP_AZURE_CONNECTION_STRING APP_AZURE_ACCOUNT_NAME
     APP_AZURE_ACCOUNT_KEY APP_AZURE_CREATE_CONTAINER APP_AZURE_MAX_BLOCK_SIZE APP_AZURE_MAX_SINGLE_PUT_SIZE
     APP_AZURE_MAX_CONCURRENCY APP_BLOCK_MEMORY APP_AZURE_ACCESS_TIER APP_AZURE_TAGS APP_AZURE_METADATA APP_AZURE_ENCRYPTION_SCOPE APP_CONTENT_MD5 APP_NFS_INCOMING_DIR APP_NFS_PROCESSING_ROOT
     APP_NFS_FAILED_ROOT APP_KEEP_DONE_S APP_NFS_DONE_ROOT APP_KEEP_DONE_FREE APP_LOCAL_STAGING_ROOT APP_STAGING_LIMIT APP_POLL_INTERVAL_S APP_MIN_FILE_AGE_S
     APP_IGNORE_PATTERNS APP_SIDECAR_CHECKSUMS APP_SCAN_DEPTH APP_EMPTY_FOLDER_AGE_S APP_MAX_QUEUE_SIZE APP_WORKER_CONCURRENCY APP_MAX_ATTEMPTS APP_RETRY_BACKOFF_S
     APP_RECOVERY_INTERVAL_S APP_NFS_HANG_LIMIT_S APP_SHUTDOWN_GRACE_S APP_HISTORY_DAYS APP_HISTORY_MAX_FILES
     APP_WRITE_MANIFEST APP_REDIS_URL APP_REDIS_CREDENTIAL APP_REDIS_PREFIX APP_REDIS_WAIT_REPLICAS APP_API_TOKEN APP_API_AUTH APP_PORT APP_BIND APP_LOG_LEVEL
     APP_LOG_FORMAT APP_WEBHOOK_URL APP_WEBHOOK_SECRET HTTPS_PROXY HTTP_PROXY NO_PROXY`
      .split(/\s+/)
      .sort(),
  );
});

test('only the uploader must know a store', () => {
  assert.deepEqual(faultsOf('api', {}), []);
  assert.deepEqual(faultsOf('scanner', {}), []);
  const faults = faultsOf('uploader', {});
  assert.equal(faults.length, 2);
  assert.match(faults.join(), /APP_AZURE_ACCOUNT_URL is not set.*APP_AZURE_CONTAINER is not set/s);
});

test('an empty variable is one that is not set', () => {
  const empty = Object.fromEntries(Object.keys(SCHEMA).map((name) => [name, '']));
  for (const role of ROLES)
    assert.deepEqual(parseConfig(role, { ...empty, ...azure }), parseConfig(role, azure));
});

test('all faults are told at once, single ones and those between variables', () => {
  const faults = faultsOf('uploader', {
    APP_AZURE_CONTAINER: 'Not_A_Container',
    APP_AZURE_MAX_BLOCK_SIZE: '128Mi',
    APP_AZURE_MAX_SINGLE_PUT_SIZE: 'big',
    APP_PORT: '99999',
    APP_POLL_INTERVAL_S: '-1',
    APP_LOG_LEVEL: 'loud',
    APP_NFS_FAILED_ROOT: 'failed',
    APP_LOCAL_STAGING_ROOT: '/mnt/nfs/incoming',
    APP_AZURE_CREDENTIAL: 'account-key',
    APP_CONTENT_MD5: 'yes',
    APP_REDIS_URL: 'http://redis',
  });
  for (const name of [
    'APP_AZURE_ACCOUNT_URL is not set',
    'APP_AZURE_CONTAINER must',
    'APP_AZURE_MAX_BLOCK_SIZE is over APP_BLOCK_MEMORY',
    'APP_AZURE_MAX_SINGLE_PUT_SIZE must',
    'APP_PORT must',
    'APP_POLL_INTERVAL_S must',
    'APP_LOG_LEVEL must',
    'APP_NFS_FAILED_ROOT must',
    'APP_AZURE_CREDENTIAL is account-key',
    'APP_CONTENT_MD5 must',
    'APP_REDIS_URL must',
  ])
    assert.equal(faults.filter((fault) => fault.startsWith(name)).length, 1, `${name}: ${faults.join('\n')}`);
  // the folders cannot be compared while one of them has a fault of its own
  assert.equal(faults.length, 11);
});

test('there is a root for kept sources only where they are kept', () => {
  const { roots } = parseConfig('scanner', { APP_NFS_DONE_ROOT: '/mnt/nfs' });
  assert.equal('done' in roots, false);
  const kept = parseConfig('scanner', { APP_KEEP_DONE_S: '1.5', APP_KEEP_DONE_FREE: '1Gi' });
  assert.equal(kept.roots.done, '/mnt/nfs/.done');
  assert.deepEqual(kept.keepDone, { ms: 1500, freeBytes: 1024 ** 3 });
});

test('another root may lie inside the drop folder where it is not read', () => {
  for (const env of [
    { APP_NFS_PROCESSING_ROOT: '/mnt/nfs/incoming/processing' },
    { APP_SCAN_DEPTH: '2', APP_NFS_PROCESSING_ROOT: '/mnt/nfs/incoming/.processing' },
    { APP_SCAN_DEPTH: '2', APP_NFS_FAILED_ROOT: '/mnt/nfs/incoming/x/.sluice/failed' },
    { APP_SCAN_DEPTH: '2', APP_NFS_FAILED_ROOT: '/mnt/nfs/incoming-failed' },
  ])
    assert.deepEqual(parseConfig('scanner', env).scan.ignorePatterns, []);
});

test('rules between variables', () => {
  for (const [env, fault] of [
    [{ APP_AZURE_MAX_BLOCK_SIZE: '65Mi' }, /APP_AZURE_MAX_BLOCK_SIZE.*APP_BLOCK_MEMORY/],
    [{ APP_AZURE_MAX_SINGLE_PUT_SIZE: '65Mi' }, /APP_AZURE_MAX_SINGLE_PUT_SIZE.*APP_BLOCK_MEMORY/],
    [{ APP_BLOCK_MEMORY: '1Mi' }, /APP_BLOCK_MEMORY/],
    [{ APP_NFS_FAILED_ROOT: '/mnt/nfs/./incoming/' }, /four different folders/],
    [
      { APP_SCAN_DEPTH: '1', APP_NFS_PROCESSING_ROOT: '/mnt/nfs/incoming/x/processing' },
      /APP_NFS_PROCESSING_ROOT is inside APP_NFS_INCOMING_DIR, whose sub-folders APP_SCAN_DEPTH reads/,
    ],
    [
      { APP_SCAN_DEPTH: '16', APP_LOCAL_STAGING_ROOT: '/mnt/nfs/incoming/staging' },
      /APP_LOCAL_STAGING_ROOT is inside/,
    ],
    [
      { APP_KEEP_DONE_S: '1', APP_NFS_DONE_ROOT: '/mnt/nfs/.processing/done' },
      /APP_NFS_DONE_ROOT and APP_NFS_PROCESSING_ROOT must be two folders of which none is inside the other/,
    ],
    [{ APP_KEEP_DONE_S: '1', APP_NFS_DONE_ROOT: '/mnt/nfs' }, /APP_NFS_DONE_ROOT and APP_NFS_INCOMING_DIR/],
    [{ APP_SCAN_DEPTH: '17' }, /APP_SCAN_DEPTH must be a whole number from 0 to 16/],
    [{ APP_AZURE_CREDENTIAL: 'sas' }, /APP_AZURE_SAS_FILE is not set/],
    [
      { APP_AZURE_SAS_FILE: '/sas', APP_AZURE_ACCOUNT_URL: 'http://a.example' },
      /APP_AZURE_ACCOUNT_URL must be https/,
    ],
    [{ APP_AZURE_CREDENTIAL: 'connection-string' }, /APP_AZURE_CONNECTION_STRING is not set/],
    [{ APP_AZURE_CREDENTIAL: 'account-key', APP_AZURE_ACCOUNT_NAME: 'acme' }, /APP_AZURE_ACCOUNT_KEY/],
    [{ APP_AZURE_ACCOUNT_NAME: 'acme' }, /set both or neither/],
    [
      { APP_AZURE_CREDENTIAL: 'identity', APP_AZURE_ACCOUNT_URL: 'http://127.0.0.1:10000/a' },
      /APP_AZURE_ACCOUNT_URL must be https/,
    ],
    [
      { APP_AZURE_CONNECTION_STRING: connection('other') },
      /APP_AZURE_CONNECTION_STRING.*other.*APP_AZURE_ACCOUNT_URL/,
    ],
    [{ APP_AZURE_CONNECTION_STRING: 'nonsense' }, /APP_AZURE_CONNECTION_STRING/],
  ] as const) {
    const faults = uploaderFaults(env);
    assert.match(faults.join('\n'), fault);
  }
  assert.equal(uploaderFaults({ APP_BLOCK_MEMORY: '1Mi' }).length, 2);
  assert.deepEqual(uploaderFaults({ APP_AZURE_MAX_BLOCK_SIZE: '64Mi' }), []);
  assert.deepEqual(uploaderFaults({ APP_AZURE_CONNECTION_STRING: connection() }), []);
  assert.deepEqual(
    uploaderFaults({
      APP_AZURE_CREDENTIAL: 'account-key',
      APP_AZURE_ACCOUNT_NAME: 'acme',
      APP_AZURE_ACCOUNT_KEY: KEY,
    }),
    [],
  );
  // what another role needs is no fault here
  assert.deepEqual(faultsOf('scanner', { APP_AZURE_CREDENTIAL: 'connection-string' }), []);
});

test('no message holds a secret, wherever it was put', () => {
  const token = 'token-nobody-may-see';
  const secrets = [KEY, token, 'redis-password', 'sig-value'];
  const names = Object.keys(SCHEMA);
  const values = [
    KEY,
    token,
    connection('other'),
    `redis://user:redis-password@host/notanumber`,
    'https://acme.blob.core.windows.net/?sv=2&sig=sig-value',
    'https://me:redis-password@acme.blob.core.windows.net',
    `BlobEndpoint=https://b.example/?sig=sig-value;SharedAccessSignature=sig=sig-value`,
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...names),
      fc.constantFrom(...values),
      fc.constantFrom(...ROLES),
      (name, value, role) => {
        const env = { ...azure, APP_AZURE_ACCOUNT_KEY: KEY, APP_API_TOKEN: token, [name]: value };
        const text = faultsOf(role, env).join('\n');
        for (const secret of secrets) assert.ok(!text.includes(secret), `${name}: ${text}`);
      },
    ),
    { numRuns: 1_000 },
  );
});

test('every secret of a configuration is known to the log', () => {
  const config = parseConfig('uploader', {
    ...azure,
    APP_AZURE_CONNECTION_STRING: connection(),
    APP_API_TOKEN: 'the-token',
    APP_REDIS_URL: 'rediss://user:p%40ss@host:6380/2',
    HTTPS_PROXY: 'http://me:pr%23xy@proxy:3128',
    http_proxy: 'other:plain-proxy@proxy:3128',
  });
  const secrets = secretsOf(config);
  const sent = Buffer.from('me:pr#xy').toString('base64');
  for (const secret of [KEY, 'the-token', 'p%40ss', 'p@ss', 'pr%23xy', 'pr#xy', sent, 'plain-proxy'])
    assert.ok(secrets.includes(secret), secret);
  assert.deepEqual(secretsOf(parseConfig('scanner', {})), []);
  for (const name of [
    'APP_AZURE_CONNECTION_STRING',
    'APP_AZURE_ACCOUNT_KEY',
    'APP_API_TOKEN',
    'APP_REDIS_URL',
    'HTTPS_PROXY',
    'HTTP_PROXY',
  ] as const)
    assert.equal((SCHEMA[name] as Variable).secret, true, name);
});

test('sizes are bytes or Kubernetes quantities', () => {
  for (const [given, bytes] of [
    ['0', 0],
    ['8388608', 8388608],
    ['8Mi', 8388608],
    ['20Gi', 21474836480],
    ['1.5Gi', 1610612736],
    ['20G', 20e9],
    ['1k', 1000],
    ['1Ki', 1024],
    ['2T', 2e12],
    ['1Pi', 2 ** 50],
    ['1e3', 1000],
    ['2E6', 2e6],
  ] as const)
    assert.equal(parseQuantity(given), bytes, given);
  for (const no of [
    '',
    ' 8',
    '8 Mi',
    '8MB',
    '8mi',
    '-1',
    '+1',
    '1,5Gi',
    'Mi',
    '0x10',
    '1m',
    '1K',
    'NaN',
    'Infinity',
    '9007199254740993',
    '9999Pi',
    '1e999',
  ])
    assert.equal(parseQuantity(no), null, no);
});

test('seconds may have fractions, and never more than a timer can count', () => {
  const interval = (text: string) =>
    parseConfig('scanner', { APP_POLL_INTERVAL_S: text }).scan.pollIntervalMs;
  assert.equal(interval('0.2'), 200);
  assert.equal(interval('2'), 2_000);
  for (const no of ['0', '-1', 'soon', '1e3', '2s', '1,5', '99999999'])
    assert.match(
      faultsOf('scanner', { APP_POLL_INTERVAL_S: no }).join(),
      /APP_POLL_INTERVAL_S must be seconds/,
      no,
    );
});

test('patterns and paths are read tidily', () => {
  const config = parseConfig('scanner', {
    APP_IGNORE_PATTERNS: ' *.part, ,*.tmp,',
    APP_NFS_INCOMING_DIR: '/data//in/',
  });
  assert.deepEqual(config.scan.ignorePatterns, ['*.part', '*.tmp']);
  assert.equal(config.roots.incoming, '/data/in');
});

test('an api without a token listens on loopback alone, unless open is meant', () => {
  const bind = (role: Role, env: Record<string, string>) => parseConfig(role, { ...azure, ...env }).http.bind;
  assert.equal(bind('api', {}), '127.0.0.1');
  assert.equal(bind('api', { APP_API_TOKEN: 't' }), '0.0.0.0');
  assert.equal(bind('api', { APP_API_AUTH: 'none' }), '0.0.0.0');
  assert.equal(bind('api', { APP_BIND: '::1' }), '::1');
  assert.equal(bind('api', { APP_BIND: '10.0.0.1', APP_API_TOKEN: 't' }), '10.0.0.1');
  assert.equal(bind('scanner', {}), '0.0.0.0');
  assert.equal(bind('uploader', { APP_BIND: '10.0.0.1' }), '10.0.0.1');
  for (const address of ['0.0.0.0', '::', '10.0.0.1', 'example.org'])
    assert.match(faultsOf('api', { APP_BIND: address }).join(), /APP_BIND.*APP_API_TOKEN.*APP_API_AUTH=none/);
  assert.match(faultsOf('api', { APP_API_AUTH: 'basic' }).join(), /APP_API_AUTH/);
});

test('loopback addresses', () => {
  for (const yes of ['127.0.0.1', '127.9.9.9', '::1', 'localhost']) assert.ok(isLoopback(yes), yes);
  for (const no of ['0.0.0.0', '::', '127.example.org', '10.0.0.1', '', '128.0.0.1'])
    assert.ok(!isLoopback(no), no);
});

test('the endpoint of a connection string', () => {
  for (const [given, endpoint] of [
    [connection(), 'https://acme.blob.core.windows.net'],
    ['AccountName=acme;AccountKey=x', 'https://acme.blob.core.windows.net'],
    ['AccountName=acme;EndpointSuffix=core.chinacloudapi.cn', 'https://acme.blob.core.chinacloudapi.cn'],
    [
      'BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1/;AccountName=devstoreaccount1;AccountKey=a==',
      'http://127.0.0.1:10000/devstoreaccount1',
    ],
    ['blobendpoint=https://b.example/?sv=1&sig=x;SharedAccessSignature=sv=1', 'https://b.example'],
    ['UseDevelopmentStorage=true', 'http://127.0.0.1:10000/devstoreaccount1'],
    ['AccountKey=x', null],
    ['BlobEndpoint=nowhere', null],
    ['', null],
  ] as const)
    assert.equal(connectionStringEndpoint(given), endpoint, given);
});

test('endpoints agree whatever the port is written as and however the URL ends', () => {
  for (const url of ['https://acme.blob.core.windows.net/', 'https://ACME.blob.core.windows.net:443'])
    assert.deepEqual(
      uploaderFaults({ APP_AZURE_ACCOUNT_URL: url, APP_AZURE_CONNECTION_STRING: connection() }),
      [],
    );
});

test('a typing error in a name is noticed', () => {
  assert.deepEqual(unknownVariables({ APP_PROT: '1', APP_PORT: '1', PATH: '/' }), ['APP_PROT']);
});

test('places of Redis: one host, Sentinels, a cluster', () => {
  const place = (text: string) => {
    const { kind, tls, hosts, user, password, master, database } = parseRedisUrl(text);
    const at = hosts.map(({ host, port }) => `${host}:${port}`).join(' ');
    return [kind, tls, at, user, password, master, database];
  };
  for (const [text, ...meant] of [
    ['redis://host', 'single', false, 'host:6379', '', '', '', 0],
    ['rediss://u:p%40%2F@host:6380/2', 'single', true, 'host:6380', 'u', 'p@/', '', 2],
    ['redis://:p@[::1]:7/', 'single', false, '::1:7', '', 'p', '', 0],
    ['redis+sentinel://a:1,b/main/3', 'sentinel', false, 'a:1 b:26379', '', '', 'main', 3],
    ['rediss+sentinel://u:p@a:1/main', 'sentinel', true, 'a:1', 'u', 'p', 'main', 0],
    ['redis+cluster://a:1,b:2', 'cluster', false, 'a:1 b:2', '', '', '', 0],
    ['rediss+cluster://:p@a/0', 'cluster', true, 'a:6379', '', 'p', '', 0],
  ] as const)
    assert.deepEqual(place(text), meant, text);
  for (const [text, fault] of [
    ['http://host', /must be a URL such as/],
    ['redis://host/0?tls=true', /no query/],
    ['redis://host/x', /must end in a database number/],
    ['redis://a,b/0', /names several hosts/],
    ['redis://u:geheim%@host/0', /write it as %25/],
    ['redis+sentinel://u:geheim@a:1', /must name the master and the database/],
    ['redis+sentinel://a:1/main/x', /must name the master and the database/],
    ['redis+cluster://a:1/2', /a cluster has database 0 alone/],
    ['redis+cluster://a:99999', /must name each host as host:port/],
    ['redis+other://u:geheim@a:1', /must be a URL such as/],
  ] as const)
    assert.throws(
      () => parseRedisUrl(text),
      (error: Error) => fault.test(error.message) && !error.message.includes('geheim'),
      text,
    );
});

test('a cluster needs a prefix that keeps all keys in one slot', () => {
  const env = { APP_REDIS_URL: 'redis+cluster://host', APP_REDIS_PREFIX: 'sluice' };
  assert.throws(() => parseConfig('scanner', env), /APP_REDIS_PREFIX must have a part in braces/);
});

test('a token for Redis does not travel in the clear', () => {
  const given = (url: string) => () =>
    parseConfig('scanner', { APP_REDIS_CREDENTIAL: 'identity', APP_REDIS_URL: url });
  assert.throws(
    given('redis://host/0'),
    /APP_REDIS_CREDENTIAL is identity, which APP_REDIS_URL must be rediss/,
  );
  for (const url of ['rediss://host/0', 'redis://127.0.0.1/0', 'rediss+cluster://host'])
    assert.doesNotThrow(given(url));
});

test('a webhook needs a URL without a password and a secret of Standard Webhooks, both or neither', () => {
  const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
  const url = 'https://hooks.example/sluice?key=abc';
  const faults = (env: Record<string, string>): string => {
    try {
      parseConfig('api', env);
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  };
  const both = { APP_WEBHOOK_URL: url, APP_WEBHOOK_SECRET: secret };
  assert.deepEqual(parseConfig('api', both).webhook, { url, secret });
  assert.ok(secretsOf(parseConfig('api', both)).includes(secret));
  assert.match(faults({ APP_WEBHOOK_URL: url }), /^APP_WEBHOOK_URL and APP_WEBHOOK_SECRET belong together/);
  for (const wrong of [
    'secret',
    'whsec_',
    `whsec_${Buffer.alloc(23).toString('base64')}`,
    `whsec_!${secret}`,
  ])
    assert.match(
      faults({ ...both, APP_WEBHOOK_SECRET: wrong }),
      /^APP_WEBHOOK_SECRET must be whsec_ and the base64 of 24 to 64 random bytes/,
    );
  for (const wrong of ['ftp://x/', 'https://u:p@x/', 'https://x/#f'])
    assert.match(faults({ ...both, APP_WEBHOOK_URL: wrong }), /^APP_WEBHOOK_URL must be a URL/);
});
