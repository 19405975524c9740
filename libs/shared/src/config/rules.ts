import { isIP } from 'node:net';
import { parseRedisUrl } from './redis-url.js';
import type { Role, Values, VariableName } from './schema.js';

/** A rule between variables, judged where each of them is without a fault of its own. */
export interface Rule {
  readonly names: readonly VariableName[];
  /** The only role that it concerns; all where missing. */
  readonly role?: Role;
  /** The sentence, or null where all is well. */
  readonly fault: (values: Values) => string | null;
}

const within = (name: 'APP_AZURE_MAX_BLOCK_SIZE' | 'APP_AZURE_MAX_SINGLE_PUT_SIZE'): Rule => ({
  names: [name, 'APP_BLOCK_MEMORY'],
  fault: (v) =>
    (v[name] ?? 0) > (v.APP_BLOCK_MEMORY ?? 0)
      ? `${name} is over APP_BLOCK_MEMORY; lower it or raise the memory`
      : null,
});
const FOLDERS = [
  'APP_NFS_INCOMING_DIR',
  'APP_NFS_PROCESSING_ROOT',
  'APP_NFS_FAILED_ROOT',
  'APP_LOCAL_STAGING_ROOT',
] as const;

/** Every rule between variables. */
export const RULES: readonly Rule[] = [
  within('APP_AZURE_MAX_BLOCK_SIZE'),
  within('APP_AZURE_MAX_SINGLE_PUT_SIZE'),
  {
    names: FOLDERS,
    fault: (v) =>
      new Set(FOLDERS.map((name) => v[name])).size < FOLDERS.length
        ? `${FOLDERS.slice(0, -1).join(', ')} and ${FOLDERS.at(-1)} must be four different folders`
        : null,
  },
  {
    names: [...FOLDERS, 'APP_NFS_DONE_ROOT', 'APP_KEEP_DONE_S'],
    fault: (v) => {
      const done = v.APP_NFS_DONE_ROOT ?? '';
      const other = FOLDERS.find((name) => areEntangled(v[name] ?? '', done));
      return (v.APP_KEEP_DONE_S ?? 0) > 0 && other !== undefined
        ? `APP_NFS_DONE_ROOT and ${other} must be two folders of which none is inside the other`
        : null;
    },
  },
  ...FOLDERS.slice(1).map((name): Rule => ({
    names: [name, 'APP_NFS_INCOMING_DIR', 'APP_SCAN_DEPTH'],
    fault: (v) =>
      (v.APP_SCAN_DEPTH ?? 0) > 0 && isReadBelow(v.APP_NFS_INCOMING_DIR ?? '', v[name] ?? '')
        ? `${name} is inside APP_NFS_INCOMING_DIR, whose sub-folders APP_SCAN_DEPTH reads; move it out, or below a folder whose name begins with a dot`
        : null,
  })),
  {
    // https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
    names: ['APP_AZURE_CONTAINER'],
    role: 'uploader',
    fault: ({ APP_AZURE_CONTAINER: container }) =>
      /^(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*$/.test(container ?? '')
        ? null
        : 'APP_AZURE_CONTAINER must be 3 to 63 lower-case letters, digits and single hyphens',
  },
  {
    names: ['APP_AZURE_CREDENTIAL', 'APP_AZURE_SAS_FILE'],
    role: 'uploader',
    fault: (v) =>
      v.APP_AZURE_CREDENTIAL === 'sas' && v.APP_AZURE_SAS_FILE === null
        ? 'APP_AZURE_CREDENTIAL is sas, but APP_AZURE_SAS_FILE is not set'
        : null,
  },
  {
    // a signature stands in every URL
    names: ['APP_AZURE_SAS_FILE', 'APP_AZURE_ACCOUNT_URL'],
    role: 'uploader',
    fault: (v) => {
      const url = new URL(v.APP_AZURE_ACCOUNT_URL ?? 'https://unset');
      return v.APP_AZURE_SAS_FILE !== null && url.protocol === 'http:' && !isLoopback(url.hostname)
        ? 'APP_AZURE_SAS_FILE is set, which APP_AZURE_ACCOUNT_URL must be https for'
        : null;
    },
  },
  {
    names: ['APP_AZURE_CREDENTIAL', 'APP_AZURE_CONNECTION_STRING'],
    role: 'uploader',
    fault: (v) =>
      v.APP_AZURE_CREDENTIAL === 'connection-string' && v.APP_AZURE_CONNECTION_STRING === null
        ? 'APP_AZURE_CREDENTIAL is connection-string, but APP_AZURE_CONNECTION_STRING is not set'
        : null,
  },
  {
    names: ['APP_AZURE_CREDENTIAL', 'APP_AZURE_ACCOUNT_NAME', 'APP_AZURE_ACCOUNT_KEY'],
    role: 'uploader',
    fault: (v) => {
      const [name, key] = [v.APP_AZURE_ACCOUNT_NAME !== null, v.APP_AZURE_ACCOUNT_KEY !== null];
      if (v.APP_AZURE_CREDENTIAL === 'account-key' && !(name && key))
        return 'APP_AZURE_CREDENTIAL is account-key, but APP_AZURE_ACCOUNT_NAME and APP_AZURE_ACCOUNT_KEY are not both set';
      return v.APP_AZURE_CREDENTIAL === 'auto' && name !== key
        ? 'APP_AZURE_ACCOUNT_NAME and APP_AZURE_ACCOUNT_KEY belong together; set both or neither'
        : null;
    },
  },
  {
    names: ['APP_AZURE_CREDENTIAL', 'APP_AZURE_ACCOUNT_URL'],
    role: 'uploader',
    fault: (v) =>
      v.APP_AZURE_CREDENTIAL === 'identity' && v.APP_AZURE_ACCOUNT_URL?.toLowerCase().startsWith('http://')
        ? 'APP_AZURE_CREDENTIAL is identity, which APP_AZURE_ACCOUNT_URL must be https for'
        : null,
  },
  {
    names: ['APP_AZURE_CREDENTIAL', 'APP_AZURE_CONNECTION_STRING'],
    role: 'uploader',
    fault: (v) =>
      usesConnectionString(v) && connectionStringEndpoint(v.APP_AZURE_CONNECTION_STRING ?? '') === null
        ? 'APP_AZURE_CONNECTION_STRING names no account or blob endpoint; copy it whole from the portal'
        : null,
  },
  {
    // also where it is not used: somebody means another account than the one that gets the files
    names: ['APP_AZURE_CONNECTION_STRING', 'APP_AZURE_ACCOUNT_URL'],
    role: 'uploader',
    fault: (v) => {
      if (v.APP_AZURE_CONNECTION_STRING === null) return null;
      const endpoint = connectionStringEndpoint(v.APP_AZURE_CONNECTION_STRING ?? '');
      const account = v.APP_AZURE_ACCOUNT_URL ?? '';
      return endpoint === null || sameUrl(endpoint, account)
        ? null
        : `APP_AZURE_CONNECTION_STRING has the endpoint ${endpoint}, but APP_AZURE_ACCOUNT_URL is ${account}; they must agree`;
    },
  },
  {
    names: ['APP_REDIS_URL', 'APP_REDIS_CREDENTIAL'],
    fault: (v) => {
      if (v.APP_REDIS_CREDENTIAL !== 'identity') return null;
      const { tls, hosts } = parseRedisUrl(v.APP_REDIS_URL ?? '');
      return tls || hosts.every(({ host }) => isLoopback(host))
        ? null
        : 'APP_REDIS_CREDENTIAL is identity, which APP_REDIS_URL must be rediss:// for: a token must not travel in the clear';
    },
  },
  {
    names: ['APP_REDIS_URL', 'APP_REDIS_PREFIX'],
    fault: (v) =>
      /^rediss?\+cluster:/i.test(v.APP_REDIS_URL ?? '') && !/\{[^}]+\}/.test(v.APP_REDIS_PREFIX ?? '')
        ? 'APP_REDIS_PREFIX must have a part in braces, such as {sluice}, which keeps all keys in one slot of the cluster'
        : null,
  },
  {
    names: ['APP_WEBHOOK_URL', 'APP_WEBHOOK_SECRET'],
    role: 'api',
    fault: (v) =>
      (v.APP_WEBHOOK_URL === null) === (v.APP_WEBHOOK_SECRET === null)
        ? null
        : 'APP_WEBHOOK_URL and APP_WEBHOOK_SECRET belong together; set both or neither',
  },
  {
    names: ['APP_BIND', 'APP_API_TOKEN', 'APP_API_AUTH'],
    role: 'api',
    fault: (v) =>
      v.APP_BIND === null || v.APP_API_TOKEN !== null || v.APP_API_AUTH === 'none' || isLoopback(v.APP_BIND)
        ? null
        : `APP_BIND is ${v.APP_BIND}, but without APP_API_TOKEN the api listens on loopback alone; set a token, or APP_API_AUTH=none if open is meant`,
  },
];

/** Whether two folders are one, or one lies inside the other. */
function areEntangled(a: string, b: string): boolean {
  const [one, other] = [a, b].map((path) => (path.endsWith('/') ? path : `${path}/`)) as [string, string];
  return one.startsWith(other) || other.startsWith(one);
}

/** Whether a folder lies inside another one, and below no folder of a dot name. */
function isReadBelow(outer: string, inner: string): boolean {
  const head = outer.endsWith('/') ? outer : `${outer}/`;
  return inner.startsWith(head) && !`/${inner.slice(head.length)}`.includes('/.');
}

function usesConnectionString(v: Values): boolean {
  return (
    v.APP_AZURE_CONNECTION_STRING !== null &&
    (v.APP_AZURE_CREDENTIAL === 'auto' || v.APP_AZURE_CREDENTIAL === 'connection-string')
  );
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
  const account = parts.get('accountname');
  const blob =
    parts.get('blobendpoint') ??
    (account
      ? `${parts.get('defaultendpointsprotocol') ?? 'https'}://${account}.blob.${parts.get('endpointsuffix') ?? 'core.windows.net'}`
      : '');
  if (!URL.canParse(blob)) return null;
  const { origin, pathname } = new URL(blob);
  return origin === 'null' ? null : origin + pathname.replace(/\/+$/, '');
}

function sameUrl(a: string, b: string): boolean {
  const [one, two] = [new URL(a), new URL(b)];
  return one.origin === two.origin && one.pathname.replace(/\/+$/, '') === two.pathname.replace(/\/+$/, '');
}

/** Whether an address is loopback: 127.0.0.0/8, `::1` or `localhost`. */
export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}
