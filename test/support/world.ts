import { createHash } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { TestContext } from './test.js';
import { writeFileOf } from './bytes.js';
import { Child, freePort } from './child.js';
import { Proxy } from './proxy.js';
import { ACCOUNT, TestAzurite, TestRedis } from './services.js';
import { TcpProxy } from './tcp-proxy.js';
import { Stop, until } from './until.js';

/** Blobs that {@link World.blobs} reads at once. */
const READ_AT_ONCE = 16;

/** The three apps. */
export type AppRole = 'api' | 'scanner' | 'uploader';

/** One of our apps as a process. */
export class App extends Child {
  constructor(
    readonly role: AppRole,
    readonly port: number,
    readonly env: Record<string, string>,
    uid?: number,
    /** The folder of another release; default: this one. */
    release = resolve(__dirname, '../../..'),
  ) {
    const command = [process.execPath, join(release, `dist/apps/${role}/main.js`)];
    // replaces itself by the command: the signals of a test reach the app
    if (uid !== undefined)
      command.unshift('setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--');
    super(command[0] ?? '', command.slice(1), {
      PATH: process.env.PATH ?? '',
      HOME: process.env.HOME ?? '/',
      APP_PORT: String(port),
      APP_BIND: '127.0.0.1',
      ...env,
    });
  }

  /** Waits until `/readyz` says so. */
  async ready(deadlineMs = 120_000): Promise<this> {
    await until(
      `${this.role} is ready`,
      async () => {
        if (!this.alive) throw new Stop(`it ended: ${this.stdout.slice(-2000)}${this.stderr.slice(-2000)}`);
        const answer = await fetch(`http://127.0.0.1:${this.port}/readyz`);
        if (answer.ok) return true;
        throw new Error(await answer.text());
      },
      deadlineMs,
    );
    return this;
  }

  /** @throws Error where it printed a secret of its settings */
  keptSecrets(): void {
    const printed = this.stdout + this.stderr;
    for (const [name, value] of Object.entries(this.env))
      if (/(?:KEY|TOKEN|CONNECTION_STRING)$/.test(name) && value !== '' && printed.includes(value))
        throw new Error(`the ${this.role} printed the value of ${name}`);
  }

  /** The status of a probe. */
  async probe(path: '/healthz' | '/readyz'): Promise<number> {
    return (await fetch(`http://127.0.0.1:${this.port}${path}`)).status;
  }
}

/** What a world is made of. */
export interface WorldOptions {
  /** Uploaders to start; default 1. */
  readonly uploaders?: number;
  /** Settings of all apps. */
  readonly env?: Record<string, string>;
  /** Put a {@link Proxy} before Azurite. */
  readonly proxy?: boolean;
  /** Put a {@link TcpProxy} before Redis. */
  readonly redisProxy?: boolean;
  readonly appendonly?: boolean;
  /** The folder of another `redis-server` than this system's. */
  readonly redisServer?: string;
  /** Apps to start; default all. */
  readonly start?: readonly AppRole[];
  /** An existing folder to hold the shared volume. */
  readonly volume?: string;
  /** The user (and group) whose processes the apps are; needs root. Default: whose the test is. */
  readonly uid?: number;
}

/** An answer of the api. */
export interface Answer {
  readonly status: number;
  /** Whatever the api said. */
  readonly body: any;
  readonly headers: Headers;
  readonly text: string;
}

/** A whole system of one test: its own Redis, Azurite, folders and processes. Everything ends with the test. */
export class World {
  readonly folder = mkdtempSync(join(tmpdir(), 'sluice-world-'));
  readonly apps: App[] = [];
  readonly container = 'ingest';
  redis!: TestRedis;
  azurite!: TestAzurite;
  proxy: Proxy | null = null;
  redisProxy: TcpProxy | null = null;
  private apiPort = 0;
  private stagings = 0;

  private constructor(private readonly options: WorldOptions) {}

  static async make(t: TestContext, options: WorldOptions = {}): Promise<World> {
    const world = new World(options);
    t.after(() => world.end());
    if (options.uid !== undefined) chownSync(world.folder, options.uid, options.uid);
    [world.redis, world.azurite] = await Promise.all([
      TestRedis.start(options.appendonly, options.redisServer),
      TestAzurite.start(),
    ]);
    await world.azurite.client.getContainerClient(world.container).createIfNotExists();
    if (options.proxy) world.proxy = await Proxy.start(world.azurite.port);
    if (options.redisProxy) world.redisProxy = await TcpProxy.start(world.redis.port);
    const roles = options.start ?? ['api', 'scanner', 'uploader'];
    if (roles.includes('api')) await world.start('api');
    if (roles.includes('scanner')) await world.start('scanner');
    if (roles.includes('uploader'))
      for (let i = 0; i < (options.uploaders ?? 1); i++) await world.start('uploader');
    await Promise.all(world.apps.map((app) => app.ready()));
    return world;
  }

  get volume(): string {
    return this.options.volume ?? join(this.folder, 'nfs');
  }
  get incoming(): string {
    return join(this.volume, 'incoming');
  }
  get processing(): string {
    return join(this.volume, '.processing');
  }
  get failed(): string {
    return join(this.volume, '.failed');
  }

  /** The settings of an app. */
  env(more: Record<string, string> = {}): Record<string, string> {
    const port = this.proxy?.port ?? this.azurite.port;
    return {
      APP_REDIS_URL: this.redisProxy ? `redis://127.0.0.1:${this.redisProxy.port}/0` : this.redis.url,
      APP_NFS_INCOMING_DIR: this.incoming,
      APP_NFS_PROCESSING_ROOT: this.processing,
      APP_NFS_FAILED_ROOT: this.failed,
      APP_NFS_DONE_ROOT: join(this.volume, '.done'),
      APP_AZURE_ACCOUNT_URL: `http://127.0.0.1:${port}/${ACCOUNT.name}`,
      APP_AZURE_CONTAINER: this.container,
      APP_AZURE_CREDENTIAL: 'account-key',
      APP_AZURE_ACCOUNT_NAME: ACCOUNT.name,
      APP_AZURE_ACCOUNT_KEY: ACCOUNT.key,
      APP_POLL_INTERVAL_S: '0.2',
      APP_MIN_FILE_AGE_S: '0.5',
      APP_RECOVERY_INTERVAL_S: '1',
      APP_RETRY_BACKOFF_S: '0.2',
      ...this.options.env,
      ...more,
    };
  }

  /**
   * Starts one more app, of this release or the one of a folder; each uploader has a staging folder of its own. Does not
   * wait until it is ready.
   */
  async start(role: AppRole, more: Record<string, string> = {}, release?: string): Promise<App> {
    const { uid } = this.options;
    if (!this.options.volume && mkdirSync(this.volume, { recursive: true }) && uid !== undefined)
      chownSync(this.volume, uid, uid);
    const port = await freePort();
    if (role === 'api') this.apiPort = port;
    const staging = join(this.folder, `staging-${this.stagings++}`);
    const app = new App(role, port, this.env({ APP_LOCAL_STAGING_ROOT: staging, ...more }), uid, release);
    this.apps.push(app);
    return app;
  }

  /** The apps of a role that run. */
  running(role: AppRole): App[] {
    return this.apps.filter((app) => app.role === role && app.alive);
  }

  /** The first app of a role that runs. */
  app(role: AppRole): App {
    const app = this.running(role)[0];
    if (!app) throw new Error(`no ${role} runs`);
    return app;
  }

  /** Asks the api. A body makes it a POST. */
  async api(path: string, body?: unknown): Promise<Answer> {
    const init =
      body === undefined
        ? {}
        : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const answer = await fetch(`http://127.0.0.1:${this.apiPort}${path}`, init);
    const text = await answer.text();
    let parsed: unknown = null;
    try {
      parsed = JSON.parse(text);
    } catch {
      // not every answer is JSON
    }
    return { status: answer.status, body: parsed, headers: answer.headers, text };
  }

  /** What the scanner keeps on the volume of the active session; empty before it does. */
  noteOfSession(): string {
    const path = join(this.processing, '.sluice-session');
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  /** Starts a session. @returns its key, `<date>/<encoded session>` */
  async startSession(name?: string): Promise<string> {
    const answer = await this.api('/v1/watch/start', name === undefined ? {} : { session_name: name });
    if (answer.status !== 200) throw new Error(`start: ${answer.status} ${answer.text}`);
    return `${answer.body.date_prefix}/${answer.body.encoded_session}`;
  }

  /** Drops a file as a good producer does. @returns its MD5 */
  drop(name: string, size: number, seed = size + name.length): string {
    return writeFileOf(join(this.incoming, name), size, seed);
  }

  /** `GET /v1/status`. */
  async status(): Promise<any> {
    return (await this.api('/v1/status')).body;
  }

  /** Waits until so many files are done in all. */
  async done(count: number, deadlineMs = 120_000): Promise<void> {
    await until(
      `${count} files are done`,
      async () => {
        const { processed_ok, queue, last_error } = await this.status();
        if (processed_ok >= count) return true;
        throw new Error(JSON.stringify({ processed_ok, queue, last_error }));
      },
      deadlineMs,
    );
  }

  /** MD5s (of the bytes, read back) by blob name. */
  async blobs(): Promise<Map<string, string>> {
    const container = this.azurite.client.getContainerClient(this.container);
    const found = new Map<string, string>();
    const read = async (name: string): Promise<void> => {
      const md5 = createHash('md5');
      const { readableStreamBody } = await container.getBlobClient(name).download();
      for await (const chunk of readableStreamBody ?? []) md5.update(chunk);
      found.set(name, md5.digest('hex'));
    };
    for await (const { segment } of container.listBlobsFlat().byPage({ maxPageSize: READ_AT_ONCE }))
      // in the order of the listing, whichever is read first
      await Promise.all(segment.blobItems.map(({ name }) => (found.set(name, ''), read(name))));
    return found;
  }

  /** Files (not folders, not Sluice's own) below a folder, as relative paths. */
  filesIn(folder: string): string[] {
    if (!existsSync(folder)) return [];
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter(
        (entry) =>
          !entry.isDirectory() && !entry.name.startsWith('.sluice') && !entry.name.startsWith('.owner'),
      )
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
      .sort();
  }

  /** Staged files of all uploaders. */
  staged(): string[] {
    return readdirSync(this.folder)
      .filter((name) => name.startsWith('staging-'))
      .flatMap((name) => this.filesIn(join(this.folder, name)));
  }

  async end(): Promise<void> {
    for (const app of this.apps) app.thaw();
    await Promise.all(this.apps.map((app) => app.kill()));
    await Promise.all([this.proxy?.end(), this.redisProxy?.end()]);
    await Promise.all([this.redis?.end(), this.azurite?.end()]);
    rmSync(this.folder, { recursive: true, force: true });
    for (const app of this.apps) app.keptSecrets();
  }
}
