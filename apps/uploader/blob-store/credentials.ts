import { createDefaultHttpClient } from '@azure/core-rest-pipeline';
import { StorageSharedKeyCredential } from '@azure/storage-blob';
import { messageOf, StoreError } from '@app/shared/domain';
import { hasLabels, type Config } from '@app/shared/config';
import { BlobStore } from './blob-store.js';
import { isAway, proxyAsks, saysNo } from './errors.js';
import { byWaysOut, type WaysOut } from '@app/shared/network';
import { SecretFile } from '@app/shared/files';
import { openContainer, type BodyDigests, type Credential } from './pipeline.js';
import { SharedAccess } from './sas.js';

/** What each way to sign in may take, write probe included; milliseconds. */
const TRY_MS = 10_000;
/** A store that does not answer is asked again at start, but the process gives up within this; milliseconds, contract: 45 s. */
const REACH_MS = 40_000;

interface Way {
  readonly name: 'identity' | 'sas' | 'connection-string' | 'account-key';
  readonly variables: string;
  readonly open: () => Credential | Promise<Credential>;
}

/** No way to sign in works; the message names the variables and no secret. */
export class NoAccess extends Error {
  override readonly name = 'NoAccess';
}

/** A container that lets us in. */
export interface OpenedStore {
  readonly store: BlobStore;
  /** The way to sign in that passed. */
  readonly way: Way['name'];
  /** Why the identity did not, where it was tried before; null otherwise. */
  readonly identityFailed: string | null;
}

/**
 * Opens the container with the first way to sign in that passes a write probe.
 *
 * @throws NoAccess where none passes within 45 s, or the container is missing
 */
export async function openBlobStore(config: Config, waysOut: WaysOut): Promise<OpenedStore> {
  const ways = waysOf(config, waysOut);
  // the last round must end in time, however silent the store is
  const lastRound = Date.now() + REACH_MS - ways.length * TRY_MS;
  for (;;) {
    const failures: string[] = [];
    const errors: unknown[] = [];
    let identityFailed: string | null = null;
    for (const way of ways) {
      const failure = await tryWay(config, way, waysOut);
      if (typeof failure !== 'string' && 'store' in failure)
        return { store: failure.store, way: way.name, identityFailed };
      const { error } = failure;
      if (way.name === 'identity') identityFailed = messageOf(error);
      failures.push(`${way.name} (${way.variables}): ${messageOf(error)}`);
      if (error instanceof StoreError && error.code === 'ContainerNotFound')
        throw new NoAccess(
          `APP_AZURE_CONTAINER: the container "${config.azure.container}" does not exist at ${config.azure.accountUrl}; create it, or set APP_AZURE_CREATE_CONTAINER=true for local use`,
        );
      errors.push(error);
    }
    if (failures.length === 0)
      throw new NoAccess(
        'no way to sign in: set APP_AZURE_SAS_FILE, APP_AZURE_CONNECTION_STRING, or APP_AZURE_ACCOUNT_NAME and APP_AZURE_ACCOUNT_KEY, or give the pod an identity',
      );
    // asking again helps only where the service itself has not answered yet
    if (errors.some(saysNo) || !errors.some(isAway) || Date.now() > lastRound)
      throw new NoAccess(
        `no way to sign in to APP_AZURE_ACCOUNT_URL ${config.azure.accountUrl} passed its write probe: ${failures.join('; ')}`,
      );
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

async function tryWay(
  config: Config,
  way: Way,
  waysOut: WaysOut,
): Promise<{ store: BlobStore } | { error: unknown }> {
  const digests: BodyDigests = new WeakMap();
  const limit = AbortSignal.timeout(TRY_MS);
  try {
    const store = new BlobStore(
      openContainer(config.azure.accountUrl, config.azure.container, await way.open(), digests, waysOut),
      digests,
    );
    const proved = (async () => {
      if (config.azure.createContainer) await store.createContainer();
      await store.probe(limit);
      if (hasLabels(config.labels)) await store.proveLabels(config.labels, limit);
      return store;
    })();
    // a token request does not listen to the signal
    const late = new Promise<never>((_, reject) =>
      limit.addEventListener('abort', () =>
        reject(new StoreError('ETIMEDOUT', 'probe', `no answer within ${TRY_MS / 1000} s`)),
      ),
    );
    proved.catch(() => undefined);
    return { store: await Promise.race([proved, late]) };
  } catch (error) {
    return { error };
  }
}

/** The ways to sign in that the settings allow, in their order. */
function waysOf(config: Config, waysOut: WaysOut): Way[] {
  const { credential, sasFile, connectionString, accountName, accountKey } = config.azure;
  const allowed = (name: Way['name']) => credential === 'auto' || credential === name;
  const ways: Way[] = [];
  // a bearer token is never sent over http
  if (allowed('identity') && config.azure.accountUrl.startsWith('https:'))
    ways.push({
      name: 'identity',
      variables: 'APP_AZURE_CREDENTIAL, AZURE_CLIENT_ID and the like',
      open: () => openIdentity(waysOut),
    });
  if (allowed('sas') && sasFile !== null)
    ways.push({
      name: 'sas',
      variables: 'APP_AZURE_SAS_FILE',
      open: () => new SharedAccess(new SecretFile(sasFile)),
    });
  if (allowed('connection-string') && connectionString !== null)
    ways.push({
      name: 'connection-string',
      variables: 'APP_AZURE_CONNECTION_STRING',
      open: () => fromConnectionString(connectionString),
    });
  if (allowed('account-key') && accountName !== null && accountKey !== null)
    ways.push({
      name: 'account-key',
      variables: 'APP_AZURE_ACCOUNT_NAME, APP_AZURE_ACCOUNT_KEY',
      open: () => new StorageSharedKeyCredential(accountName, accountKey),
    });
  return ways;
}

/** Token requests go out like those to the store. */
async function openIdentity(waysOut: WaysOut): Promise<Credential> {
  // eslint-disable-next-line no-restricted-syntax -- loaded only where it is used: it takes some 20 MiB of memory
  const { DefaultAzureCredential } = await import('@azure/identity');
  return new DefaultAzureCredential(byWaysOut(createDefaultHttpClient(), waysOut, proxyAsks));
}

/** Azurite's account, which every copy of it has: https://learn.microsoft.com/azure/storage/common/storage-use-azurite */
const DEVELOPMENT = {
  name: 'devstoreaccount1',
  key: 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==',
};

function fromConnectionString(text: string): Credential {
  if (/UseDevelopmentStorage=true/i.test(text))
    return new StorageSharedKeyCredential(DEVELOPMENT.name, DEVELOPMENT.key);
  const name = /(?:^|;)\s*AccountName=([^;]+)/i.exec(text)?.[1];
  const key = /(?:^|;)\s*AccountKey=([^;]+)/i.exec(text)?.[1];
  if (!name || !key)
    throw new Error(
      'it holds no AccountName and AccountKey; a shared access signature goes into APP_AZURE_SAS_FILE',
    );
  return new StorageSharedKeyCredential(name, key);
}
