import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Redis } from 'ioredis';
import { Sessions, totals } from '@app/shared/records';
import {
  ACCOUNT,
  App,
  freePort,
  seen,
  TestAzurite,
  type TestContext,
  TestRedis,
  until as untilSeen,
  writeFileOf,
} from '../../support/index.js';

const SOURCE = resolve(__dirname, '../../../../test/faults/lab/file-calls.c');
const SESSION = { datePrefix: '20260131', encodedSession: 'calls', name: 'calls' };
/** A small file, and one of several blocks. */
const FILES = { 'small.bin': 1000, 'large.bin': 200_000 };
const MODES = ['die-before', 'die-after', 'fail', 'lie'] as const;
/** Systems at once: most of the time of one goes by while a dead uploader's lock runs out. */
const AT_ONCE = 8;
const THROUGH_MS = 180_000;
/** What a dead process leaves of its short-lived files is swept once it is a minute old (scanner-recovers.test.ts). */
const SWEPT_LATER = /^\.sluice-(?:tmp|probe)-/;

interface Fault {
  readonly kind: string;
  readonly at: number;
  readonly mode: (typeof MODES)[number];
}

/** A scanner and an uploader with a volume, a container and keys of their own. */
class Rig {
  private readonly folder = mkdtempSync(join(tmpdir(), 'sluice-calls-'));
  private readonly prefix: string;
  private readonly apps = new Map<'scanner' | 'uploader', App>();
  private readonly volume = join(this.folder, 'nfs');
  private readonly log = join(this.folder, 'calls');
  private restarts = 0;

  constructor(
    private readonly services: Services,
    private readonly number: number,
  ) {
    this.prefix = `{calls${number}}`;
  }

  /**
   * Moves both files while one app meets the fault, and looks whether all is as if nothing had been.
   *
   * @returns the calls of that app, by kind
   */
  async move(role: 'scanner' | 'uploader', fault: Fault | null): Promise<Map<string, number>> {
    const { redis, azurite } = this.services;
    const container = azurite.client.getContainerClient(`calls-${this.number}`);
    await container.create();
    await new Sessions(redis, this.prefix).start(SESSION);
    // what the scanner makes at its start is a part of the trial
    mkdirSync(join(this.volume, 'incoming'), { recursive: true });
    const md5s = new Map<string, string>();
    for (const [name, size] of Object.entries(FILES))
      md5s.set(name, writeFileOf(join(this.volume, 'incoming', name), size, size));
    for (const each of ['scanner', 'uploader'] as const)
      await this.start(each, each === role ? this.injection(fault) : {});
    // a process that ended is started again, as Kubernetes does
    const until = (what: string, ask: () => Promise<boolean> | boolean) =>
      untilSeen(what, async () => (await this.restart(), ask()), THROUGH_MS);
    await until('both files are done', () => this.through());
    await until('nothing is left on the volume', () => this.nothingLeft());
    const { processedOk, processedErr } = await totals(redis, this.prefix);
    assert.deepEqual({ processedOk, processedErr }, { processedOk: 2, processedErr: 0 });
    const blobs = new Map<string, string>();
    for await (const { name, properties } of container.listBlobsFlat())
      blobs.set(name, Buffer.from(properties.contentMD5 ?? []).toString('hex'));
    const wanted = [...md5s].map(([name, md5]) => [`20260131/calls/${name}`, md5] as const);
    assert.deepEqual(blobs, new Map(wanted.sort()));
    return this.calls();
  }

  async end(): Promise<void> {
    for (const app of this.apps.values()) await app.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private injection(fault: Fault | null): Record<string, string> {
    return {
      LD_PRELOAD: this.services.library,
      FILE_CALLS_BELOW: `${this.volume}:${this.folder}/staging`,
      FILE_CALLS_LOG: this.log,
      ...(fault && {
        FILE_CALLS_KIND: fault.kind,
        FILE_CALLS_AT: String(fault.at),
        FILE_CALLS_MODE: fault.mode,
      }),
    };
  }

  private async start(role: 'scanner' | 'uploader', more: Record<string, string>): Promise<void> {
    const { redisUrl, azurite } = this.services;
    this.apps.set(
      role,
      new App(role, await freePort(), {
        APP_REDIS_URL: redisUrl,
        APP_REDIS_PREFIX: this.prefix,
        APP_NFS_INCOMING_DIR: join(this.volume, 'incoming'),
        APP_NFS_PROCESSING_ROOT: join(this.volume, '.processing'),
        APP_NFS_FAILED_ROOT: join(this.volume, '.failed'),
        // an emptyDir: what a dead pod left there is gone with it
        APP_LOCAL_STAGING_ROOT: join(this.folder, 'staging', String(this.restarts)),
        APP_AZURE_ACCOUNT_URL: azurite.url,
        APP_AZURE_CONTAINER: `calls-${this.number}`,
        APP_AZURE_CREDENTIAL: 'account-key',
        APP_AZURE_ACCOUNT_NAME: ACCOUNT.name,
        APP_AZURE_ACCOUNT_KEY: ACCOUNT.key,
        APP_AZURE_MAX_BLOCK_SIZE: '65536',
        APP_AZURE_MAX_SINGLE_PUT_SIZE: '4096',
        APP_POLL_INTERVAL_S: '0.2',
        APP_MIN_FILE_AGE_S: '0.3',
        APP_RECOVERY_INTERVAL_S: '1',
        APP_RETRY_BACKOFF_S: '0.2',
        ...more,
      }),
    );
  }

  private async restart(): Promise<void> {
    for (const [role, app] of this.apps) {
      if (app.alive) continue;
      this.restarts += 1;
      await this.start(role, {});
    }
  }

  private async through(): Promise<boolean> {
    const { processedOk, lastError } = await totals(this.services.redis, this.prefix);
    if (processedOk < Object.keys(FILES).length) throw new Error(`${processedOk} done; ${lastError}`);
    return true;
  }

  private nothingLeft(): boolean {
    const left = readdirSync(this.volume, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map(({ name }) => name)
      .filter((name) => !['.sluice-volume', '.sluice-session'].includes(name) && !SWEPT_LATER.test(name));
    if (left.length > 0) throw new Error(left.join(', '));
    return true;
  }

  private calls(): Map<string, number> {
    const calls = new Map<string, number>();
    if (existsSync(this.log))
      for (const kind of readFileSync(this.log, 'utf8').trim().split('\n'))
        calls.set(kind, (calls.get(kind) ?? 0) + 1);
    return calls;
  }
}

interface Services {
  readonly redis: Redis;
  readonly redisUrl: string;
  readonly azurite: TestAzurite;
  readonly library: string;
}

/** Builds the library to preload; what it does stands in file-calls.c. Ends with the test. @returns its path */
export function fileCallsLibrary(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-calls-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const library = join(folder, 'file-calls.so');
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, SOURCE, '-ldl']);
  return library;
}

/**
 * Has one app meet a fault at every call with which it changes a file, one trial each: it dies before it, dies after it,
 * the call fails, or it is made and reports failure, as a repeated rename of NFS does.
 */
export async function everyFileCall(t: TestContext, role: 'scanner' | 'uploader'): Promise<void> {
  const library = fileCallsLibrary(t);
  const [server, azurite] = await Promise.all([TestRedis.start(), TestAzurite.start()]);
  t.after(() => Promise.all([server.end(), azurite.end()]));
  const redis = new Redis(server.url);
  redis.on('error', () => undefined);
  t.after(() => redis.disconnect());
  const services = { redis, redisUrl: server.url, azurite, library };
  let rigs = 0;
  const attempt = async (fault: Fault | null): Promise<Map<string, number>> => {
    const rig = new Rig(services, rigs++);
    try {
      return await rig.move(role, fault);
    } finally {
      await rig.end();
    }
  };

  const calls = await attempt(null);
  assert.ok(calls.has('rename') || role === 'scanner', [...calls].join());
  const faults = [...calls].flatMap(([kind, times]) =>
    Array.from({ length: times }, (_, i) => MODES.map((mode) => ({ kind, at: i + 1, mode }))).flat(),
  );
  const failures: string[] = [];
  const queue = [...faults];
  const work = async (): Promise<void> => {
    for (let fault = queue.shift(); fault; fault = queue.shift()) {
      const its = fault;
      await attempt(its).catch((error: unknown) =>
        failures.push(`${its.mode} at ${its.kind} ${its.at}: ${(error as Error).message}`),
      );
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  assert.deepEqual(failures, []);
  const kinds = [...calls].map(([kind, times]) => `${kind} ${times}`).join(', ');
  t.diagnostic(`${faults.length} faults at ${faults.length / MODES.length} calls (${kinds})`);
  seen(t, {
    fault: `every file call of the ${role}`,
    injected: `${faults.length} faults by a preloaded library, at ${faults.length / MODES.length} calls of one small and one large file`,
    promised: 'every byte in the store, each file counted once, nothing left, nothing quarantined',
    files: 2 * faults.length,
    kills: faults.length / 2,
  });
}
