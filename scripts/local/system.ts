import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { BlobServiceClient, StorageSharedKeyCredential, type ContainerClient } from '@azure/storage-blob';
import { freePort } from '../../test/support/child.js';
import { ACCOUNT } from '../../test/support/services.js';
import { until } from '../../test/support/until.js';
import { LocalProcess } from './process.js';
import { forgetRunning, noteRunning, requireNoneRunning } from './running.js';

const CONTAINER = 'ingest';
/** The shutdown grace of the apps and 5 s, contract section 1; milliseconds. */
const APP_GRACE_MS = 30_000;
const SERVICE_GRACE_MS = 10_000;

/** Redis, Azurite and the three apps on this machine, with everything they keep below one folder. */
export class LocalSystem {
  readonly apiUrl: string;
  readonly container: ContainerClient;
  private readonly apps: LocalProcess[] = [];
  private readonly services: LocalProcess[] = [];
  private readonly commands = new Map<LocalProcess, string>();
  private readonly keeper: ChildProcess;
  private stopping: Promise<void> | null = null;

  private constructor(
    private readonly root: string,
    private readonly ports: { api: number; azurite: number; redis: number },
  ) {
    this.apiUrl = `http://127.0.0.1:${ports.api}`;
    this.container = containerOf(this.accountUrl);
    this.keeper = spawn(process.execPath, [join(__dirname, 'keeper.js')], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    // without it a system that is killed leaves its processes, and the next start names them
    this.keeper.on('error', () => undefined);
    this.keeper.stdin?.on('error', () => undefined);
    this.keeper.unref();
    this.note();
  }

  /**
   * @param root folder for data and logs; made where it is missing
   * @param port of the api; null: 8000, or any free one where that is taken
   * @throws Error when another local system runs below `root`, or the given port is taken
   */
  static async prepare(root: string, port: number | null): Promise<LocalSystem> {
    for (const folder of [
      'log',
      'redis',
      'azurite',
      'staging',
      'nfs/incoming',
      'nfs/.processing',
      'nfs/.failed',
    ])
      mkdirSync(join(root, folder), { recursive: true });
    requireNoneRunning(root);
    if (port !== null && !(await isFree(port))) throw new Error(`port ${port} is taken`);
    return new LocalSystem(root, {
      api: port ?? ((await isFree(8000)) ? 8000 : await freePort()),
      azurite: (await isFree(10_000)) ? 10_000 : await freePort(),
      redis: await freePort(),
    });
  }

  /** Where files are dropped. */
  get incoming(): string {
    return join(this.root, 'nfs/incoming');
  }

  get accountUrl(): string {
    return `http://127.0.0.1:${this.ports.azurite}/${ACCOUNT.name}`;
  }

  get logs(): string {
    return join(this.root, 'log');
  }

  /** Starts everything and waits until all are ready. */
  async start(): Promise<void> {
    const bare = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? this.root };
    const redis = ['--port', `${this.ports.redis}`, '--bind', '127.0.0.1', '--dir', join(this.root, 'redis')];
    redis.push('--appendonly', 'yes', '--save', '', '--maxmemory-policy', 'noeviction');
    this.launch('service', 'redis', 'redis-server', redis, bare);
    const azurite = [require.resolve('azurite/dist/src/blob/main.js')];
    azurite.push('--blobPort', `${this.ports.azurite}`, '--location', join(this.root, 'azurite'));
    azurite.push('--disableTelemetry', '--skipApiVersionCheck', '--silent');
    this.launch('service', 'azurite', process.execPath, azurite, bare);
    await this.whileAlive('Azurite answers', () => fetch(this.accountUrl).then(() => true));

    const ports = { api: this.ports.api, scanner: await freePort(), uploader: await freePort() };
    for (const role of ['api', 'scanner', 'uploader'] as const) {
      const main = resolve(__dirname, `../../apps/${role}/main.js`);
      const env = { ...bare, ...this.settings(), APP_PORT: `${ports[role]}` };
      this.launch('app', role, process.execPath, [main], env);
    }
    for (const [role, port] of Object.entries(ports))
      await this.whileAlive(`${role} is ready`, async () => {
        const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
        if (!answer.ok) throw new Error(await answer.text());
        return true;
      });
  }

  /** Asks the api; a body makes it a POST. @throws Error with the answer's text where it is not 200 */
  async ask<T>(path: string, body?: object): Promise<T> {
    const answer = await this.fetch(path, {
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  /** A plain call of the api, signed in where it has a token. */
  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const token = process.env.APP_API_TOKEN;
    return fetch(`${this.apiUrl}${path}`, {
      ...init,
      headers: { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) },
    });
  }

  /** The first process that ended although nobody asked it to. */
  get fallen(): LocalProcess | undefined {
    return this.stopping ? undefined : [...this.services, ...this.apps].find((one) => !one.alive);
  }

  /** Stops the apps, then what they stand on. Safe to repeat. */
  stop(): Promise<void> {
    this.stopping ??= (async () => {
      await Promise.all(this.apps.map((app) => app.stop(APP_GRACE_MS)));
      await Promise.all(this.services.map((service) => service.stop(SERVICE_GRACE_MS)));
      this.keeper.stdin?.end();
      forgetRunning(this.root);
    })();
    return this.stopping;
  }

  /** Ends everything at once. */
  kill(): void {
    for (const one of [...this.apps, ...this.services]) one.kill();
    forgetRunning(this.root);
  }

  private launch(
    kind: 'app' | 'service',
    name: string,
    command: string,
    args: string[],
    env: Record<string, string>,
  ): void {
    if (this.stopping) throw new Error(`${name} is not started: the system stops`);
    const started = new LocalProcess(name, command, args, env, join(this.logs, `${name}.log`));
    (kind === 'app' ? this.apps : this.services).push(started);
    this.commands.set(started, command === process.execPath ? (args[0] ?? '') : command);
    this.note();
    const { pid } = started;
    if (pid === undefined) return;
    this.keeper.stdin?.write(`${kind} ${pid}\n`);
    void started.ended.then(() => this.keeper.stdin?.writable && this.keeper.stdin.write(`gone ${pid}\n`));
  }

  /** Keeps for the next command what runs here. */
  private note(): void {
    const processes = [...this.commands].flatMap(([{ name, pid }, command]) =>
      pid === undefined ? [] : [{ name, pid, command }],
    );
    noteRunning(this.root, { pid: process.pid, apiUrl: this.apiUrl, accountUrl: this.accountUrl, processes });
  }

  /** The apps' settings: what the caller's environment says of `APP_...`, but for what this system itself decides. */
  private settings(): Record<string, string> {
    const given = Object.entries(process.env).filter(([name]) => name.startsWith('APP_')) as [
      string,
      string,
    ][];
    return {
      APP_POLL_INTERVAL_S: '1',
      APP_MIN_FILE_AGE_S: '2',
      APP_BIND: '127.0.0.1',
      ...Object.fromEntries(given),
      APP_REDIS_URL: `redis://127.0.0.1:${this.ports.redis}/0`,
      APP_NFS_INCOMING_DIR: this.incoming,
      APP_NFS_PROCESSING_ROOT: join(this.root, 'nfs/.processing'),
      APP_NFS_FAILED_ROOT: join(this.root, 'nfs/.failed'),
      APP_LOCAL_STAGING_ROOT: join(this.root, 'staging'),
      APP_AZURE_ACCOUNT_URL: this.accountUrl,
      APP_AZURE_CONTAINER: CONTAINER,
      APP_AZURE_CREATE_CONTAINER: 'true',
      APP_AZURE_CREDENTIAL: 'account-key',
      APP_AZURE_ACCOUNT_NAME: ACCOUNT.name,
      APP_AZURE_ACCOUNT_KEY: ACCOUNT.key,
    };
  }

  private async whileAlive(what: string, ask: () => Promise<boolean>): Promise<void> {
    let fallen: LocalProcess | undefined;
    await until(what, () => ((fallen = this.fallen) ? true : ask()), 60_000);
    if (fallen) throw new Error(`${fallen.name} ended:\n${fallen.lastWords()}`);
  }
}

/** The container that files go to, signed in with the emulator's public key. */
export function containerOf(accountUrl: string): ContainerClient {
  const key = new StorageSharedKeyCredential(ACCOUNT.name, ACCOUNT.key);
  return new BlobServiceClient(accountUrl, key).getContainerClient(CONTAINER);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.on('error', () => done(false));
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)));
  });
}
