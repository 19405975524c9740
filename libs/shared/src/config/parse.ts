import { isIP } from 'node:net';
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
  const values: Partial<Record<VariableName, unknown>> = {};
  for (const [name, variable] of Object.entries(SCHEMA) as [VariableName, Variable][]) {
    // an empty variable is how manifests say "not set"
    const given = env[name] === '' ? undefined : env[name];
    const text = given ?? variable.default;
    values[name] = null;
    if (text === null) {
      if (variable.requiredBy?.includes(role)) faults.push(`${name} is not set: ${variable.meaning}`);
      continue;
    }
    try {
      values[name] = variable.kind.parse(text);
    } catch (error) {
      const shown = variable.secret ? '' : ` (it is "${text}")`;
      faults.push(`${name} ${error instanceof Error ? error.message : String(error)}${shown}`);
    }
  }
  if (faults.length === 0) faults.push(...crossFaults(role, values as Values));
  if (faults.length > 0) throw new ConfigError(faults);
  return build(role, values as Values);
}

/** Names that begin with `APP_` and mean nothing: most often a typing error. */
export function unknownVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  return Object.keys(env).filter((name) => name.startsWith('APP_') && !(name in SCHEMA));
}

/** Rules between variables. */
function crossFaults(role: Role, v: Values): string[] {
  const faults: string[] = [];
  const memory = v.APP_BLOCK_MEMORY ?? 0;
  if ((v.APP_AZURE_MAX_BLOCK_SIZE ?? 0) > memory)
    faults.push('APP_AZURE_MAX_BLOCK_SIZE is over APP_BLOCK_MEMORY; lower it or raise the memory');
  if ((v.APP_AZURE_MAX_SINGLE_PUT_SIZE ?? 0) > memory)
    faults.push('APP_AZURE_MAX_SINGLE_PUT_SIZE is over APP_BLOCK_MEMORY; lower it or raise the memory');
  const roots = [
    v.APP_NFS_INCOMING_DIR,
    v.APP_NFS_PROCESSING_ROOT,
    v.APP_NFS_FAILED_ROOT,
    v.APP_LOCAL_STAGING_ROOT,
  ];
  if (new Set(roots).size < roots.length)
    faults.push(
      'APP_NFS_INCOMING_DIR, APP_NFS_PROCESSING_ROOT, APP_NFS_FAILED_ROOT and APP_LOCAL_STAGING_ROOT must be four different folders',
    );
  if (role === 'uploader') faults.push(...azureFaults(v));
  if (role === 'api') faults.push(...bindFaults(v));
  return faults;
}

function azureFaults(v: Values): string[] {
  const faults: string[] = [];
  const account = v.APP_AZURE_ACCOUNT_URL ?? '';
  // https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
  if (!/^(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*$/.test(v.APP_AZURE_CONTAINER ?? ''))
    faults.push(
      `APP_AZURE_CONTAINER must be 3 to 63 lower-case letters, digits and single hyphens (it is "${v.APP_AZURE_CONTAINER}")`,
    );
  const credential = v.APP_AZURE_CREDENTIAL;
  const nameAndKey = v.APP_AZURE_ACCOUNT_NAME !== null && v.APP_AZURE_ACCOUNT_KEY !== null;
  if (credential === 'connection-string' && v.APP_AZURE_CONNECTION_STRING === null)
    faults.push('APP_AZURE_CREDENTIAL is connection-string, but APP_AZURE_CONNECTION_STRING is not set');
  if (credential === 'account-key' && !nameAndKey)
    faults.push(
      'APP_AZURE_CREDENTIAL is account-key, but APP_AZURE_ACCOUNT_NAME and APP_AZURE_ACCOUNT_KEY are not both set',
    );
  if (credential === 'auto' && (v.APP_AZURE_ACCOUNT_NAME !== null) !== (v.APP_AZURE_ACCOUNT_KEY !== null))
    faults.push('APP_AZURE_ACCOUNT_NAME and APP_AZURE_ACCOUNT_KEY belong together; set both or neither');
  if (credential === 'identity' && account.startsWith('http://'))
    faults.push('APP_AZURE_CREDENTIAL is identity, which APP_AZURE_ACCOUNT_URL must be https for');
  if (
    v.APP_AZURE_CONNECTION_STRING !== null &&
    (credential === 'auto' || credential === 'connection-string')
  ) {
    const endpoint = connectionStringEndpoint(v.APP_AZURE_CONNECTION_STRING);
    if (endpoint === null)
      faults.push(
        'APP_AZURE_CONNECTION_STRING names no account or blob endpoint; copy it whole from the portal',
      );
    else if (!sameUrl(endpoint, account))
      faults.push(
        `APP_AZURE_CONNECTION_STRING has the endpoint ${endpoint}, but APP_AZURE_ACCOUNT_URL is ${account}; they must agree`,
      );
  }
  return faults;
}

/** The blob endpoint that a connection string means, or null. The key in it is never part of the answer. */
export function connectionStringEndpoint(text: string): string | null {
  const parts = new Map(
    text
      .split(';')
      .filter((part) => part.includes('='))
      .map((part) => [
        part.slice(0, part.indexOf('=')).trim().toLowerCase(),
        part.slice(part.indexOf('=') + 1).trim(),
      ]),
  );
  if (parts.get('usedevelopmentstorage')?.toLowerCase() === 'true')
    return 'http://127.0.0.1:10000/devstoreaccount1';
  const blob = parts.get('blobendpoint');
  if (blob) return URL.canParse(blob) ? blob.replace(/\/+$/, '') : null;
  const account = parts.get('accountname');
  if (!account) return null;
  return `${parts.get('defaultendpointsprotocol') ?? 'https'}://${account}.blob.${parts.get('endpointsuffix') ?? 'core.windows.net'}`;
}

function sameUrl(a: string, b: string): boolean {
  const [one, two] = [new URL(a), new URL(b)];
  return (
    one.protocol === two.protocol &&
    one.host === two.host &&
    one.pathname.replace(/\/+$/, '') === two.pathname.replace(/\/+$/, '')
  );
}

function bindFaults(v: Values): string[] {
  if (v.APP_BIND === null || v.APP_API_TOKEN !== null || v.APP_API_AUTH === 'none' || isLoopback(v.APP_BIND))
    return [];
  return [
    `APP_BIND is ${v.APP_BIND}, but without APP_API_TOKEN the api listens on loopback alone; set a token, or APP_API_AUTH=none if open is meant`,
  ];
}

/** Whether an address is loopback: 127.0.0.0/8, `::1` or `localhost`. */
export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}

/** Values that the checks above have proved to be there. */
function build(role: Role, v: Values) {
  const must = <T>(value: T | null): T => value as T;
  const open = v.APP_API_TOKEN !== null || v.APP_API_AUTH === 'none';
  return {
    role,
    azure: {
      accountUrl: v.APP_AZURE_ACCOUNT_URL ?? '',
      container: v.APP_AZURE_CONTAINER ?? '',
      credential: must(v.APP_AZURE_CREDENTIAL),
      connectionString: v.APP_AZURE_CONNECTION_STRING,
      accountName: v.APP_AZURE_ACCOUNT_NAME,
      accountKey: v.APP_AZURE_ACCOUNT_KEY,
      createContainer: must(v.APP_AZURE_CREATE_CONTAINER),
      maxConcurrency: must(v.APP_AZURE_MAX_CONCURRENCY),
      contentMd5: must(v.APP_CONTENT_MD5),
    },
    blocks: {
      maxBlockSize: must(v.APP_AZURE_MAX_BLOCK_SIZE),
      maxSinglePutSize: must(v.APP_AZURE_MAX_SINGLE_PUT_SIZE),
      blockMemory: must(v.APP_BLOCK_MEMORY),
    },
    roots: {
      incoming: must(v.APP_NFS_INCOMING_DIR),
      processing: must(v.APP_NFS_PROCESSING_ROOT),
      failed: must(v.APP_NFS_FAILED_ROOT),
    },
    staging: { root: must(v.APP_LOCAL_STAGING_ROOT), limitBytes: v.APP_STAGING_LIMIT },
    scan: {
      pollIntervalMs: must(v.APP_POLL_INTERVAL_S),
      minFileAgeMs: must(v.APP_MIN_FILE_AGE_S),
      ignorePatterns: must(v.APP_IGNORE_PATTERNS),
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
    redis: { url: must(v.APP_REDIS_URL), prefix: must(v.APP_REDIS_PREFIX) },
    api: { token: v.APP_API_TOKEN, open: v.APP_API_AUTH === 'none' },
    http: { port: must(v.APP_PORT), bind: v.APP_BIND ?? (role === 'api' && !open ? '127.0.0.1' : '0.0.0.0') },
    log: { level: must(v.APP_LOG_LEVEL), format: must(v.APP_LOG_FORMAT) },
  };
}

/** The texts that must never be printed: what a log or an error may not hold. */
export function secretsOf(config: Config): string[] {
  const password = new URL(config.redis.url).password;
  const sas = /AccountKey=([^;]+)|SharedAccessSignature=([^;]+)/i.exec(config.azure.connectionString ?? '');
  const secrets = [
    config.azure.accountKey,
    config.azure.connectionString,
    config.api.token,
    password,
    sas?.[1],
    sas?.[2],
  ];
  return secrets.filter((secret): secret is string => typeof secret === 'string' && secret.length > 0);
}
