import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ContainerClient } from '@azure/storage-blob';
import type { Redis } from 'ioredis';
import { jobId } from '@app/shared/domain';
import { jobStates, type JobState } from '@app/shared/queue';
import { Sessions, totals } from '@app/shared/records';
import {
  ACCOUNT,
  App,
  freePort,
  Proxy,
  RedisProxy,
  Stop,
  until as untilSeen,
  writeFileOf,
  type TestAzurite,
} from '../../support/index.js';

const SESSION = { datePrefix: '20260131', encodedSession: 'requests', name: 'requests' };
const FOLDER = `${SESSION.datePrefix}/${SESSION.encodedSession}`;
const BLOCK = 64 * 1024;
/** A file of one Put Blob, and one of four blocks. */
const SIZES = { small: 1000, large: 4 * BLOCK - 10 };
/** Where the answer that was lost granted a job, its lock must run out first. */
const THROUGH_MS = 120_000;

/** One request of a file's way, by its kind and its number among those of its kind, and when it is dropped. */
export interface RequestFault {
  readonly kind: string;
  readonly at: number;
  readonly when: 'before' | 'after';
}

/** How often each kind of request came on a file's way, and whether the fault came too. */
export interface Passed {
  readonly requests: ReadonlyMap<string, number>;
  readonly met: boolean;
}

/** What the systems of a test share. */
export interface Services {
  readonly redis: Redis;
  readonly redisPort: number;
  readonly azurite: TestAzurite;
}

/** Counts the requests to all servers while a file is on its way, and says which of them is to be dropped. */
class Requests {
  private counts = new Map<string, number>();
  private fault: RequestFault | null = null;
  private met = false;
  private open = false;

  /** A request has come. */
  came(kind: string): RequestFault['when'] | null {
    if (!this.open) return null;
    const at = (this.counts.get(kind) ?? 0) + 1;
    this.counts.set(kind, at);
    if (kind !== this.fault?.kind || at !== this.fault.at) return null;
    this.met = true;
    return this.fault.when;
  }

  /** Counts, and drops, while this work is done. */
  async during(fault: RequestFault | null, work: () => Promise<void>): Promise<Passed> {
    this.counts = new Map();
    this.fault = fault;
    this.met = false;
    this.open = true;
    try {
      await work();
      return { requests: this.counts, met: this.met };
    } finally {
      this.open = false;
    }
  }
}

/** The three apps with a volume, a container and keys of their own, behind proxies that drop what they are told to. */
export class RequestRig {
  private readonly folder = mkdtempSync(join(tmpdir(), 'sluice-requests-'));
  private readonly volume = join(this.folder, 'nfs');
  private readonly prefix: string;
  private readonly container: ContainerClient;
  private readonly states: (ids: readonly string[]) => Promise<JobState[]>;
  private readonly apps = new Map<string, App>();
  private readonly proxies: { end(): Promise<void> }[] = [];
  private readonly requests = new Requests();
  private readonly counted = { processedOk: 0, processedErr: 0 };
  private files = 0;

  constructor(
    private readonly services: Services,
    private readonly name: string,
  ) {
    this.prefix = `{${name}}`;
    this.container = services.azurite.client.getContainerClient(name);
    this.states = jobStates(services.redis, this.prefix);
  }

  /** Starts the apps, and sends files each way once: from then on Redis knows all scripts, and connections are open. */
  async start(): Promise<this> {
    await this.container.create();
    mkdirSync(join(this.volume, 'incoming'), { recursive: true });
    await new Sessions(this.services.redis, this.prefix).start(SESSION);
    const store = await storeProxy(this.services.azurite.port, this.requests);
    this.proxies.push(store);
    for (const role of ['api', 'scanner', 'uploader'] as const) {
      const redis = await RedisProxy.start(this.services.redisPort, (command) =>
        this.requests.came(`${role}: ${command}`),
      );
      this.proxies.push(redis);
      this.apps.set(role, new App(role, await freePort(), this.env(redis.port, store.port)));
    }
    for (const size of ['small', 'large'] as const) await this.move(size, null);
    await this.refuse(null, null);
    return this;
  }

  /** A file goes from the drop folder to the store. */
  async move(size: keyof typeof SIZES, fault: RequestFault | null): Promise<Passed> {
    const name = `${size}-${this.files++}.bin`;
    await this.allReady();
    return this.requests.during(fault, async () => {
      const md5 = this.drop(name, SIZES[size]);
      await this.isStored(name, md5);
    });
  }

  /** The store refuses a file, by a lease on its name, which is then ended; a retry brings the file through. */
  async refuse(quarantine: RequestFault | null, retry: RequestFault | null): Promise<[Passed, Passed]> {
    const name = `refused-${this.files++}.bin`;
    const blob = this.container.getBlockBlobClient(`${FOLDER}/${name}`);
    await blob.upload('older', 5);
    await blob.getBlobLeaseClient().acquireLease(-1);
    let md5 = '';
    await this.allReady();
    const first = await this.requests.during(quarantine, async () => {
      md5 = this.drop(name, SIZES.small);
      await this.isQuarantined(name);
    });
    await blob.getBlobLeaseClient().breakLease(0);
    await this.allReady();
    const second = await this.requests.during(retry, async () => {
      // whoever got no answer asks again
      await this.until('it is retried', async () => this.retry(name));
      await this.isStored(name, md5);
    });
    return [first, second];
  }

  async end(): Promise<void> {
    await Promise.all([...this.apps.values()].map((app) => app.kill()));
    await Promise.all(this.proxies.map((proxy) => proxy.end()));
    rmSync(this.folder, { recursive: true, force: true });
  }

  private env(redisPort: number, storePort: number): Record<string, string> {
    return {
      APP_REDIS_URL: `redis://127.0.0.1:${redisPort}/0`,
      APP_REDIS_PREFIX: this.prefix,
      APP_NFS_INCOMING_DIR: join(this.volume, 'incoming'),
      APP_NFS_PROCESSING_ROOT: join(this.volume, '.processing'),
      APP_NFS_FAILED_ROOT: join(this.volume, '.failed'),
      APP_LOCAL_STAGING_ROOT: join(this.folder, 'staging'),
      APP_AZURE_ACCOUNT_URL: `http://127.0.0.1:${storePort}/${ACCOUNT.name}`,
      APP_AZURE_CONTAINER: this.name,
      APP_AZURE_CREDENTIAL: 'account-key',
      APP_AZURE_ACCOUNT_NAME: ACCOUNT.name,
      APP_AZURE_ACCOUNT_KEY: ACCOUNT.key,
      APP_AZURE_MAX_BLOCK_SIZE: String(BLOCK),
      APP_AZURE_MAX_SINGLE_PUT_SIZE: '4096',
      APP_POLL_INTERVAL_S: '0.2',
      APP_MIN_FILE_AGE_S: '0.3',
      APP_RECOVERY_INTERVAL_S: '1',
      APP_RETRY_BACKOFF_S: '0.2',
    };
  }

  private drop(name: string, size: number): string {
    return writeFileOf(join(this.volume, 'incoming', name), size, this.files);
  }

  private async retry(name: string): Promise<boolean> {
    const answer = await fetch(`http://127.0.0.1:${this.apps.get('api')?.port}/v1/files/retry`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ filenames: [name] }),
    });
    if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`);
    return true;
  }

  /** In the store, byte by byte, counted once, and nowhere else; then its blob makes way for the next one's. */
  private async isStored(name: string, md5: string): Promise<void> {
    this.counted.processedOk += 1;
    await this.ends(name, 'completed');
    await this.until('nothing is left on the volume and the staging disk', () => {
      const left = [...this.onVolume(), ...this.staged()];
      if (left.length > 0) throw new Error(left.join(', '));
      return true;
    });
    const blobs: string[] = [];
    for await (const blob of this.container.listBlobsFlat()) blobs.push(blob.name);
    assert.deepEqual(blobs, [`${FOLDER}/${name}`]);
    const blob = this.container.getBlobClient(`${FOLDER}/${name}`);
    assert.equal(
      createHash('md5')
        .update(await blob.downloadToBuffer())
        .digest('hex'),
      md5,
    );
    await blob.delete();
  }

  /** In quarantine with its reason, counted once, and nowhere else. */
  private async isQuarantined(name: string): Promise<void> {
    this.counted.processedErr += 1;
    await this.ends(name, 'failed');
    await this.until('only the file and its reason are on the volume', () => {
      assert.deepEqual(this.onVolume().sort(), [
        `.failed/${FOLDER}/.${name}.error.json`,
        `.failed/${FOLDER}/${name}`,
      ]);
      return true;
    });
  }

  private async ends(name: string, state: JobState): Promise<void> {
    await this.until(`the job of ${name} is ${state}`, async () => {
      const [now] = await this.states([jobId(name)]);
      const { processedOk, processedErr, lastError } = await totals(this.services.redis, this.prefix);
      if (processedOk > this.counted.processedOk || processedErr > this.counted.processedErr)
        throw new Stop(`counted too often: ${processedOk} stored, ${processedErr} quarantined; ${lastError}`);
      if (
        now === state &&
        processedOk === this.counted.processedOk &&
        processedErr === this.counted.processedErr
      )
        return true;
      throw new Error(JSON.stringify({ now, processedOk, processedErr, wanted: this.counted, lastError }));
    });
  }

  /** Waits for something, while all apps live. */
  private async until(what: string, ask: () => boolean | Promise<boolean>): Promise<void> {
    await untilSeen(
      what,
      () => {
        for (const app of this.apps.values())
          if (!app.alive)
            throw new Stop(`the ${app.role} ended: ${app.stdout.slice(-2000)}${app.stderr.slice(-2000)}`);
        return ask();
      },
      THROUGH_MS,
    );
  }

  private async allReady(): Promise<void> {
    await Promise.all([...this.apps.values()].map((app) => app.ready()));
  }

  /** What is on the volume beside the files that always are. */
  private onVolume(): string[] {
    return filesBelow(this.volume).filter((path) => !/^\.processing\/\.sluice-(volume|session)$/.test(path));
  }

  /** Staged files: the mark of the disk's owner stays, and so do spare files. */
  private staged(): string[] {
    return filesBelow(join(this.folder, 'staging')).filter((path) => !/(^|\/)\.(owner|sluice)/.test(path));
  }
}

/** A proxy before the store that drops what it is told to. */
async function storeProxy(port: number, requests: Requests): Promise<Proxy> {
  const proxy = await Proxy.start(port);
  let drop: RequestFault['when'] | null = null;
  proxy.rules = [
    {
      match: ({ method, url }) => {
        const comp = new URL(url ?? '', 'http://x').searchParams.get('comp');
        drop = requests.came(`store: ${[method, comp].filter(Boolean).join(' ')}`);
        return drop === 'before';
      },
      fault: { kind: 'reset' },
    },
    { match: () => drop === 'after', fault: { kind: 'lose-answer' } },
  ];
  return proxy;
}

/** Whatever is no folder, by its path below `folder`. */
function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}
