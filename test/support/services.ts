import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StorageSharedKeyCredential, BlobServiceClient } from '@azure/storage-blob';
import { Redis } from 'ioredis';
import { Child, freePort } from './child.js';
import { until } from './until.js';

/** A Redis of one test alone; its data is in memory unless `appendonly`. */
export class TestRedis {
  child!: Child;
  private constructor(
    readonly port: number,
    private readonly folder: string,
    private readonly appendonly: boolean,
    private readonly path: string,
  ) {}

  /** @param folder where another `redis-server` than this system's is; see scripts/redis-servers.sh */
  static async start(appendonly = false, folder?: string): Promise<TestRedis> {
    const path = [folder, process.env.PATH].filter(Boolean).join(':');
    const data = mkdtempSync(join(tmpdir(), 'sluice-redis-'));
    const redis = new TestRedis(await freePort(), data, appendonly, path);
    await redis.start();
    return redis;
  }

  /** What it asks for, where it is started with `--requirepass`. */
  password = '';

  get url(): string {
    return `redis://${this.password && `:${this.password}@`}127.0.0.1:${this.port}/0`;
  }

  /** Starts it (again). */
  async start(...more: string[]): Promise<void> {
    const args = [
      '--port',
      String(this.port),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--dir',
      this.folder,
      '--maxmemory-policy',
      'noeviction',
    ];
    args.push('--appendonly', this.appendonly ? 'yes' : 'no', ...more);
    this.child = new Child('redis-server', args, { PATH: this.path });
    await until('Redis answers', () => this.use((client) => client.ping()));
  }

  /** Ends it without a chance to save, as a lost node would. */
  async kill(): Promise<void> {
    await this.child.kill();
  }

  /** Takes its folder away, so that it cannot save any more: not even root can write into a folder that is gone. */
  loseFolder(): void {
    rmSync(this.folder, { recursive: true });
  }

  /** Does something with a connection of its own. */
  async use<T>(work: (client: Redis) => Promise<T>): Promise<T> {
    const client = new Redis(this.url, {
      lazyConnect: true,
      retryStrategy: () => null,
      maxRetriesPerRequest: 0,
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return await work(client);
    } finally {
      client.disconnect();
    }
  }

  async end(): Promise<void> {
    this.child.thaw();
    await this.child.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The account that every Azurite has: https://learn.microsoft.com/azure/storage/common/storage-use-azurite */
export const ACCOUNT = {
  name: 'devstoreaccount1',
  key: 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==',
};

/** An Azurite of one test alone. */
export class TestAzurite {
  child!: Child;
  private constructor(
    readonly port: number,
    private readonly folder: string,
  ) {}

  static async start(): Promise<TestAzurite> {
    const azurite = new TestAzurite(await freePort(), mkdtempSync(join(tmpdir(), 'sluice-azurite-')));
    await azurite.start();
    return azurite;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/${ACCOUNT.name}`;
  }

  /** A client that goes straight to it, whatever stands between it and the uploaders. */
  get client(): BlobServiceClient {
    return new BlobServiceClient(this.url, new StorageSharedKeyCredential(ACCOUNT.name, ACCOUNT.key));
  }

  async start(): Promise<void> {
    const main = require.resolve('azurite/dist/src/blob/main.js');
    const args = [
      main,
      '--blobPort',
      String(this.port),
      '--location',
      this.folder,
      '--disableTelemetry',
      '--skipApiVersionCheck',
      '--silent',
    ];
    this.child = new Child(process.execPath, args, { PATH: process.env.PATH ?? '', HOME: this.folder });
    await until('Azurite answers', () => fetch(this.url).then(() => true));
  }

  async end(): Promise<void> {
    await this.child.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
