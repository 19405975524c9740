import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Queue, Worker, type Job } from 'bullmq';
import { Redis } from 'ioredis';
import { encodeSession, jobId, type SessionRef } from '@app/shared/domain';
import { Pods } from '@app/shared/pods';
import { uploadJob, type UploadPayload } from '@app/shared/queue';
import { Incoming, Moves, Sessions } from '@app/shared/records';
import { App, freePort, type TestContext, TestRedis, until } from '../support/index.js';

const PREFIX = '{sluice}';
/** The session of these tests. */
export const SESSION = {
  datePrefix: '20260131',
  encodedSession: encodeSession('my session'),
  name: 'my session',
};

/** A scanner with its own Redis and folders, and nobody who uploads. Everything ends with the test. */
export class ScannerAlone {
  readonly folder = mkdtempSync(join(tmpdir(), 'sluice-scanner-'));
  readonly apps: App[] = [];
  private readonly workers: Worker[] = [];
  readonly client: Redis;
  readonly queue: Queue<UploadPayload>;
  readonly sessions: Sessions;
  readonly moves: Moves;
  readonly incomingView: Incoming;
  readonly pods: Pods;

  private constructor(
    readonly redis: TestRedis,
    private readonly settings: Record<string, string>,
  ) {
    this.client = new Redis(redis.url, { maxRetriesPerRequest: null });
    this.client.on('error', () => undefined);
    this.queue = new Queue('upload', { connection: this.client, prefix: PREFIX });
    this.queue.on('error', () => undefined);
    this.sessions = new Sessions(this.client, PREFIX);
    this.moves = new Moves(this.client, PREFIX);
    this.incomingView = new Incoming(this.client, PREFIX);
    this.pods = new Pods(this.client, PREFIX);
  }

  static async make(t: TestContext, settings: Record<string, string> = {}): Promise<ScannerAlone> {
    const redis = await TestRedis.start();
    const alone = new ScannerAlone(redis, settings);
    t.after(() => alone.end());
    return alone;
  }

  get incoming(): string {
    return join(this.folder, 'nfs/incoming');
  }
  get processing(): string {
    return join(this.folder, 'nfs/.processing');
  }
  get failed(): string {
    return join(this.folder, 'nfs/.failed');
  }

  /** Starts a scanner. */
  async start(more: Record<string, string> = {}): Promise<App> {
    const app = new App('scanner', await freePort(), {
      APP_REDIS_URL: this.redis.url,
      APP_NFS_INCOMING_DIR: this.incoming,
      APP_NFS_PROCESSING_ROOT: this.processing,
      APP_NFS_FAILED_ROOT: this.failed,
      APP_POLL_INTERVAL_S: '0.2',
      APP_MIN_FILE_AGE_S: '0.2',
      APP_RECOVERY_INTERVAL_S: '0.5',
      ...this.settings,
      ...more,
    });
    this.apps.push(app);
    return app;
  }

  /** Writes a file, and the folders above it. */
  put(path: string, text = 'some bytes'): void {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  /** Makes the session of these tests the active one. */
  async startSession(name = SESSION.name): Promise<SessionRef> {
    const session = { datePrefix: SESSION.datePrefix, encodedSession: encodeSession(name), name };
    await this.sessions.start(session);
    return session;
  }

  /** The job of a file; undefined where there is none. */
  job(filename: string): Promise<Job<UploadPayload> | undefined> {
    return this.queue.getJob(jobId(filename));
  }

  /** Waits for the job of a file. */
  jobOf(filename: string): Promise<Job<UploadPayload>> {
    return until(`${filename} has a job`, () => this.job(filename));
  }

  /** Files with a job, in the order in which they were added. */
  async waiting(): Promise<string[]> {
    return (await this.queue.getJobs(['waiting'], 0, -1, true)).map((job) => job.data.filename);
  }

  /** Adds a job, and a record where it has none, as the scanner would. */
  async enqueue(session: SessionRef, filename: string, size = 10): Promise<void> {
    await this.moves.queued([{ session, filename, size }], '');
    const { name, data, opts } = uploadJob({
      date_prefix: session.datePrefix,
      encoded_session: session.encodedSession,
      filename,
    });
    await this.queue.add(name, data, opts);
  }

  /** Works on jobs as an uploader would; ends with the test. */
  work(process: (job: Job<UploadPayload>) => Promise<unknown>): Worker {
    const connection = { host: '127.0.0.1', port: this.redis.port };
    const worker = new Worker('upload', process, { connection, prefix: PREFIX });
    worker.on('error', () => undefined);
    this.workers.push(worker);
    return worker;
  }

  /** Waits until the scanner says this of a file in the drop folder. */
  async says(filename: string, sentence: RegExp): Promise<void> {
    await until(`the scanner says ${sentence} of ${filename}`, async () => {
      const entry = await this.incomingView.entry(filename);
      if (entry && sentence.test(entry.why)) return true;
      throw new Error(JSON.stringify(entry));
    });
  }

  /** Waits until a scanner has scanned, and will hear of sessions that start. */
  async hearsOfStarts(app: App): Promise<void> {
    await until(
      'a first scan',
      async () => (await this.metric(app, 'sluice_scan_duration_seconds_count')) >= 1,
    );
    await until('it listens', async () => ((await this.client.pubsub('CHANNELS')) as string[]).length > 0);
  }

  /** Waits until a scanner reports a problem. @returns the sentence */
  problem(sentence: RegExp): Promise<string> {
    return until(`a problem like ${sentence}`, async () => {
      const problems = (await this.pods.alive()).flatMap((pod) => pod.problems);
      const found = problems.find((problem) => sentence.test(problem));
      if (found === undefined) throw new Error(JSON.stringify(problems));
      return found;
    });
  }

  /** Waits for scans that take more than two recovery intervals of these tests. */
  async recoveries(app: App): Promise<void> {
    const scans = async () => {
      const text = await (await fetch(`http://127.0.0.1:${app.port}/metrics`)).text();
      return Number(/^sluice_scan_duration_seconds_count\S* (\d+)/m.exec(text)?.[1] ?? 0);
    };
    const before = await scans();
    await until('eight more scans', async () => (await scans()) >= before + 8);
  }

  /** A number of a scanner's metrics. */
  async metric(app: App, name: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${app.port}/metrics`)).text();
    const line = text.split('\n').find((candidate) => candidate.startsWith(`${name}{`));
    return Number(line?.split(' ').at(-1));
  }

  /** Names below a folder, relative; folders end in a slash. */
  tree(folder: string): string[] {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .map((entry) => {
        const path = join(entry.parentPath, entry.name).slice(folder.length + 1);
        return entry.isDirectory() ? `${path}/` : path;
      })
      .sort();
  }

  private async end(): Promise<void> {
    for (const app of this.apps) app.thaw();
    await Promise.all(this.apps.map((app) => app.kill()));
    await Promise.all(this.workers.map((worker) => worker.close(true)));
    this.client.disconnect();
    await this.redis.end();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
