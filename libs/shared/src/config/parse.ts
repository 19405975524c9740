import { parseRedisUrl } from './redis-url.js';
import type { Labels } from './labels.js';
import { RULES } from './rules.js';
import { SCHEMA, type Role, type Values, type Variable, type VariableName } from './schema.js';

/** The environment has faults; each message is one line that names the variables, and no value of a secret. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  constructor(readonly faults: readonly string[]) {
    super(faults.join('; '));
  }
}

/**
 * All settings of one process, parsed once. Durations are milliseconds, sizes bytes, paths absolute without a slash at
 * the end.
 */
export type Config = ReturnType<typeof build>;

/**
 * Parses the environment for one process, whole and purely.
 *
 * @throws ConfigError with every fault at once.
 */
export function parseConfig(role: Role, env: Readonly<Record<string, string | undefined>>): Config {
  const faults: string[] = [];
  const faulty = new Set<string>();
  const values: Partial<Record<VariableName, unknown>> = {};
  const fault = (name: VariableName, message: string) => {
    faulty.add(name);
    faults.push(`${name} ${message}`);
  };
  for (const [name, variable] of Object.entries(SCHEMA) as [VariableName, Variable][]) {
    // an empty variable is how manifests say "not set"
    const written = (variable.lowerCaseToo && env[name.toLowerCase()]) || env[name];
    const given = written === '' ? undefined : written;
    const text = given ?? variable.default;
    values[name] = null;
    if (text === null) {
      if (variable.requiredBy?.includes(role)) fault(name, `is not set: ${variable.meaning}`);
      continue;
    }
    try {
      values[name] = variable.kind.parse(text);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const hidden = variable.secret || holdsSecret(text, env);
      // a part of the value that a message quotes may be the secret
      if (hidden) fault(name, message.replace(/"(?:[^"\\]|\\.)*"/g, '…'));
      else fault(name, `${message} (it is ${JSON.stringify(text)})`);
    }
  }
  for (const rule of RULES) {
    if ((rule.role && rule.role !== role) || rule.names.some((name) => faulty.has(name))) continue;
    const message = rule.fault(values as Values);
    if (message !== null) faults.push(message);
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return build(role, values as Values, namesIdentity(env), asksForTraces(env));
}

/** Whether a text may hold a secret that was set under the wrong name: then it is not shown. */
function holdsSecret(text: string, env: Readonly<Record<string, string | undefined>>): boolean {
  if (/AccountKey=|SharedAccessSignature=|[?&]sig=|:\/\/[^/]*@/i.test(text)) return true;
  const secrets = (Object.entries(SCHEMA) as [VariableName, Variable][]).filter(([, { secret }]) => secret);
  return secrets.some(([name]) => env[name] && text.includes(env[name]));
}

/** Names that begin with `APP_` and mean nothing: most often a typing error. */
export function unknownVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  return Object.keys(env).filter((name) => name.startsWith('APP_') && !(name in SCHEMA));
}

/** Variables by which whoever runs a pod gives it an identity: https://learn.microsoft.com/javascript/api/@azure/identity */
const IDENTITY = [
  'AZURE_CLIENT_ID',
  'AZURE_TENANT_ID',
  'AZURE_FEDERATED_TOKEN_FILE',
  'AZURE_TOKEN_CREDENTIALS',
  'IDENTITY_ENDPOINT',
];

function namesIdentity(env: Readonly<Record<string, string | undefined>>): boolean {
  return IDENTITY.some((name) => (env[name] ?? '') !== '');
}

/** OpenTelemetry's own variables are read by itself, in runtime/otlp.ts; this one says whether it is loaded at all. */
function asksForTraces(env: Readonly<Record<string, string | undefined>>): boolean {
  return (env.OTEL_EXPORTER_OTLP_ENDPOINT ?? '').trim() !== '';
}

/** Values that the checks above have proved to be there. */
function build(role: Role, v: Values, identityGiven: boolean, traces: boolean) {
  const must = <T>(value: T | null): T => value as T;
  const open = v.APP_API_TOKEN !== null || v.APP_API_AUTH === 'none';
  const proxies = { https: v.HTTPS_PROXY, http: v.HTTP_PROXY, except: must(v.NO_PROXY) };
  return {
    role,
    azure: {
      accountUrl: v.APP_AZURE_ACCOUNT_URL ?? '',
      container: v.APP_AZURE_CONTAINER ?? '',
      credential: must(v.APP_AZURE_CREDENTIAL),
      /** Whether the environment names an identity: then one that does not pass is a fault. */
      identityGiven,
      sasFile: v.APP_AZURE_SAS_FILE,
      connectionString: v.APP_AZURE_CONNECTION_STRING,
      accountName: v.APP_AZURE_ACCOUNT_NAME,
      accountKey: v.APP_AZURE_ACCOUNT_KEY,
      createContainer: must(v.APP_AZURE_CREATE_CONTAINER),
      maxConcurrency: must(v.APP_AZURE_MAX_CONCURRENCY),
      contentMd5: must(v.APP_CONTENT_MD5),
    },
    /** What every blob carries, whatever its session. */
    labels: {
      tier: v.APP_AZURE_ACCESS_TIER,
      tags: must(v.APP_AZURE_TAGS),
      metadata: must(v.APP_AZURE_METADATA),
      encryptionScope: v.APP_AZURE_ENCRYPTION_SCOPE,
    } satisfies Labels,
    blocks: {
      maxBlockSize: must(v.APP_AZURE_MAX_BLOCK_SIZE),
      maxSinglePutSize: must(v.APP_AZURE_MAX_SINGLE_PUT_SIZE),
      blockMemory: must(v.APP_BLOCK_MEMORY),
    },
    roots: {
      incoming: must(v.APP_NFS_INCOMING_DIR),
      processing: must(v.APP_NFS_PROCESSING_ROOT),
      failed: must(v.APP_NFS_FAILED_ROOT),
      ...(must(v.APP_KEEP_DONE_S) > 0 ? { done: must(v.APP_NFS_DONE_ROOT) } : {}),
    },
    /** How long sources of stored files are kept, and how much the volume must have free for it. */
    keepDone: { ms: must(v.APP_KEEP_DONE_S), freeBytes: must(v.APP_KEEP_DONE_FREE) },
    staging: { root: must(v.APP_LOCAL_STAGING_ROOT), limitBytes: v.APP_STAGING_LIMIT },
    scan: {
      pollIntervalMs: must(v.APP_POLL_INTERVAL_S),
      minFileAgeMs: must(v.APP_MIN_FILE_AGE_S),
      /** Levels of sub-folders that are read. */
      depth: must(v.APP_SCAN_DEPTH),
      /** How long an empty sub-folder stays; 0: for ever. */
      emptyFolderAgeMs: must(v.APP_EMPTY_FOLDER_AGE_S),
      ignorePatterns: must(v.APP_IGNORE_PATTERNS),
      sidecars: must(v.APP_SIDECAR_CHECKSUMS),
      maxQueueSize: must(v.APP_MAX_QUEUE_SIZE),
      recoveryIntervalMs: must(v.APP_RECOVERY_INTERVAL_S),
    },
    upload: {
      concurrency: must(v.APP_WORKER_CONCURRENCY),
      maxAttempts: must(v.APP_MAX_ATTEMPTS),
      retryBackoffMs: must(v.APP_RETRY_BACKOFF_S),
      writeManifest: must(v.APP_WRITE_MANIFEST),
    },
    nfsHangLimitMs: must(v.APP_NFS_HANG_LIMIT_S),
    shutdownGraceMs: must(v.APP_SHUTDOWN_GRACE_S),
    history: { days: must(v.APP_HISTORY_DAYS), maxFiles: must(v.APP_HISTORY_MAX_FILES) },
    redis: {
      url: must(v.APP_REDIS_URL),
      prefix: must(v.APP_REDIS_PREFIX),
      waitReplicas: must(v.APP_REDIS_WAIT_REPLICAS),
      credential: must(v.APP_REDIS_CREDENTIAL),
      proxies,
    },
    webhook:
      v.APP_WEBHOOK_URL !== null && v.APP_WEBHOOK_SECRET !== null
        ? { url: v.APP_WEBHOOK_URL, secret: v.APP_WEBHOOK_SECRET }
        : null,
    api: { token: v.APP_API_TOKEN, open: v.APP_API_AUTH === 'none' },
    http: { port: must(v.APP_PORT), bind: v.APP_BIND ?? (role === 'api' && !open ? '127.0.0.1' : '0.0.0.0') },
    proxies,
    /** Whether spans are sent to a collector. */
    traces,
    log: { level: must(v.APP_LOG_LEVEL), format: must(v.APP_LOG_FORMAT) },
  };
}

/** The texts that must never be printed: what a log or an error may not hold. */
export function secretsOf(config: Config): string[] {
  // as it is written, and as it is meant
  const written = /:\/\/[^/]*?:([^/]*)@/.exec(config.redis.url)?.[1];
  const sas = /AccountKey=([^;]+)|SharedAccessSignature=([^;]+)/i.exec(config.azure.connectionString ?? '');
  const secrets = [
    config.azure.accountKey,
    config.azure.connectionString,
    config.api.token,
    config.webhook?.url,
    config.webhook?.secret,
    config.webhook?.secret.replace('whsec_', ''),
    written,
    parseRedisUrl(config.redis.url).password,
    sas?.[1],
    sas?.[2],
    ...[config.proxies.https, config.proxies.http].flatMap(proxySecrets),
  ];
  return secrets.filter((secret): secret is string => typeof secret === 'string' && secret.length > 0);
}

/** A proxy's password, as it stands in its URL, as it is, and as it is sent. */
function proxySecrets(proxy: string | null): string[] {
  if (proxy === null) return [];
  const { username, password } = new URL(proxy);
  if (password === '') return [];
  const sent = Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64');
  return [password, decoded(password), sent];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
