import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { ACCOUNT, Child, freePort, pause, TestRedis, until } from '../test/support/index.js';
import { cpuSeconds, peakMiB, resetPeak } from './meter.js';
import { PROJECT, WORK } from './places.js';
import type { Turn } from './results.js';
import { REST_MS, type Stock } from './stock.js';
import type { Sink } from './tools.js';

/** A turn that takes longer has failed; milliseconds. */
const LIMIT_MS = 900_000;
/** How often the status is asked during a turn; milliseconds. */
const STATUS_EVERY_MS = 100;

type Role = 'api' | 'scanner' | 'uploader';

/** How a stack is set up. */
export interface StackOptions {
  /** Where its uploaders send to. */
  readonly sink: Sink;
  /** Settings that differ from the product's defaults. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default 1. */
  readonly uploaders?: number;
  /** The folder that stands for the shared volume; default: one of its own. */
  readonly volume?: string;
  /** Another way to the same volume, for what this process itself does there; default: the same. */
  readonly ownWay?: string;
  /** Arguments for the uploaders' Node, for instance `--cpu-prof`. */
  readonly nodeArgs?: readonly string[];
}

/** One of our processes. */
export interface App {
  readonly role: Role;
  readonly port: number;
  readonly pid: number;
  readonly child: Child;
}

let made = 0;
/** Sessions so far. A name comes once in a process: a store that holds a file already is not sent it again. */
let turns = 0;

/** The real three apps with a Redis of their own, ready to move files into a sink. */
export class Stack {
  readonly apps: App[] = [];
  private readonly folder = join(WORK, `stack-${process.pid}-${++made}`);
  private client!: Redis;
  private redis!: TestRedis;

  private constructor(private readonly options: StackOptions) {}

  static async start(options: StackOptions): Promise<Stack> {
    const stack = new Stack(options);
    mkdirSync(stack.volume, { recursive: true });
    stack.redis = await TestRedis.start();
    stack.client = new Redis(stack.redis.url);
    const uploaders = Array.from({ length: options.uploaders ?? 1 }, () => 'uploader' as const);
    for (const role of ['api', 'scanner', ...uploaders] as const) await stack.launch(role);
    await Promise.all(stack.apps.map((app) => stack.ready(app)));
    return stack;
  }

  private get volume(): string {
    return this.options.volume ?? join(this.folder, 'volume');
  }

  /** Where files are dropped, as this process reaches it. */
  get incoming(): string {
    return join(this.options.ownWay ?? this.volume, 'incoming');
  }

  /** Redis, for whoever asks it himself. */
  get redisUrl(): string {
    return this.redis.url;
  }

  /** The process of Redis. */
  get redisPid(): number {
    return this.redis.child.process.pid ?? 0;
  }

  /** The first app of a role. */
  app(role: Role): App {
    const app = this.apps.find((one) => one.role === role);
    if (!app) throw new Error(`no ${role} runs`);
    return app;
  }

  /** Drops all files of a stock, lets them come to rest, starts a session, and measures until all are gone. */
  async turn(stock: Stock): Promise<Turn> {
    const name = await this.prepare(stock);
    return this.measure(name, stock);
  }

  /** Drops all files of a stock and lets them come to rest. @returns a name for their session */
  async prepare(stock: Stock): Promise<string> {
    const name = `turn-${++turns}`;
    stock.drop(this.incoming, name);
    await pause(REST_MS);
    return name;
  }

  /**
   * Starts a session and measures until a stock's files are processed and nothing is left in the drop folder and in
   * staging. The files stand in the drop folder already.
   *
   * @throws Error where the store was not sent all of their bytes
   */
  async measure(session: string, stock: Stock): Promise<Turn> {
    const done = await this.processed();
    const sent = (await this.options.sink.stats()).bytes;
    const uploaders = this.apps.filter((app) => app.role === 'uploader');
    for (const app of uploaders) resetPeak(app.pid);
    const status = this.watchStatus();
    const before = await this.spent();
    const began = performance.now();
    await this.api('/v1/watch/start', { session_name: session });
    const deadline = began + LIMIT_MS;
    while ((await this.processed()) < done + stock.count || !this.isEmpty()) {
      if (performance.now() > deadline)
        throw new Error(`not done: ${JSON.stringify(await this.api('/v1/status'))}`);
      await pause(5);
    }
    const wallS = (performance.now() - began) / 1000;
    const after = await this.spent();
    const statusMs = await status.end();
    await this.api('/v1/watch/stop', {});
    const got = (await this.options.sink.stats()).bytes - sent;
    if (got < stock.count * stock.bytes) throw new Error(`the store was sent only ${got} bytes`);
    return {
      wallS,
      cpuS: after.cpuS - before.cpuS,
      peakMiB: Math.max(...uploaders.map((app) => peakMiB(app.pid))),
      redisCpuS: after.redisCpuS - before.redisCpuS,
      redisCommands: after.commands - before.commands,
      statusMs,
    };
  }

  /** Asks the api; a body makes it a POST. @throws Error for anything but 200 */
  async api(path: string, body?: object): Promise<unknown> {
    const init = body && {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    };
    const answer = await fetch(`http://127.0.0.1:${this.app('api').port}${path}`, init);
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  /** The value of one metric of an app, all its labels together. */
  async metric(app: App, name: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${app.port}/metrics`)).text();
    const lines = text
      .split('\n')
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  /** Ends everything; profiles are written by processes that end by themselves. */
  async end(): Promise<void> {
    await Promise.all(this.apps.map((app) => app.child.stop()));
    this.client.disconnect();
    await this.redis.end();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async launch(role: Role): Promise<void> {
    const port = await freePort();
    const args = [
      ...(role === 'uploader' ? (this.options.nodeArgs ?? []) : []),
      join(PROJECT, `dist/apps/${role}/main.js`),
    ];
    const child = new Child(process.execPath, args, {
      PATH: process.env.PATH ?? '',
      HOME: process.env.HOME ?? '/',
      NODE_ENV: 'production',
      APP_PORT: String(port),
      APP_BIND: '127.0.0.1',
      APP_REDIS_URL: this.redis.url,
      APP_NFS_INCOMING_DIR: join(this.volume, 'incoming'),
      APP_NFS_PROCESSING_ROOT: join(this.volume, '.processing'),
      APP_NFS_FAILED_ROOT: join(this.volume, '.failed'),
      APP_LOCAL_STAGING_ROOT: this.staging(this.apps.length),
      APP_AZURE_ACCOUNT_URL: this.options.sink.url,
      APP_AZURE_CONTAINER: 'bench',
      APP_AZURE_CREDENTIAL: 'account-key',
      APP_AZURE_ACCOUNT_NAME: ACCOUNT.name,
      APP_AZURE_ACCOUNT_KEY: ACCOUNT.key,
      ...this.options.env,
    });
    this.apps.push({ role, port, pid: child.process.pid ?? 0, child });
  }

  private async ready({ role, port, child }: App): Promise<void> {
    const ended = child.ended.then(({ code }) => {
      throw new Error(
        `the ${role} ended with ${code}: ${child.stdout.slice(-1000)}${child.stderr.slice(-1000)}`,
      );
    });
    const answers = async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
    const well = until(`the ${role} is ready`, answers, 180_000);
    await Promise.race([well, ended]);
    ended.catch(() => undefined);
  }

  private staging(index: number): string {
    return join(this.folder, `staging-${index}`);
  }

  private async processed(): Promise<number> {
    return Number(await this.client.hget('{sluice}:totals', 'processed_ok')) || 0;
  }

  /** Whether the drop folder and all staging folders hold no file. */
  private isEmpty(): boolean {
    const files = (folder: string, recursive: boolean): boolean =>
      readdirSync(folder, { recursive, withFileTypes: true }).some(
        (entry) => entry.isFile() && !entry.name.startsWith('.'),
      );
    return (
      !files(this.incoming, false) &&
      !this.apps.some(({ role }, index) => role === 'uploader' && files(this.staging(index), true))
    );
  }

  private async spent(): Promise<{ cpuS: number; redisCpuS: number; commands: number }> {
    const info = await this.client.info('stats');
    return {
      cpuS: this.apps.reduce((sum, app) => sum + cpuSeconds(app.pid), 0),
      redisCpuS: cpuSeconds(this.redisPid),
      commands: Number(/total_commands_processed:(\d+)/.exec(info)?.[1] ?? 0),
    };
  }

  /** Asks the status again and again, as a dashboard would, and notes how long each answer took. */
  private watchStatus(): { end: () => Promise<number[]> } {
    const taken: number[] = [];
    let going = true;
    const watching = (async () => {
      while (going) {
        const asked = performance.now();
        await this.api('/v1/status');
        taken.push(Math.round((performance.now() - asked) * 10) / 10);
        await pause(STATUS_EVERY_MS);
      }
    })();
    return {
      end: async () => {
        going = false;
        await watching;
        return taken;
      },
    };
  }
}
