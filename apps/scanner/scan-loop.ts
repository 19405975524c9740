import { messageOf, VolumeError } from '@app/shared/domain';
import { LEASE_MS, type ScannerLease } from '@app/shared/pods';
import { memoryProblem, readRedisMemory } from '@app/shared/redis';
import { StartupError } from '@app/shared/runtime';
import { LeaseLost, type ScannerParts } from './parts.js';
import { recover, type RecoveryMemory } from './recover.js';
import { scanOnce, ScanMemory, type Scanned } from './scan-once.js';
import { SessionFile } from './session-file.js';
import { checkVolume, proveVolume, WrongVolume } from './volume-identity.js';

/** How often the lease is renewed; milliseconds. */
const RENEW_MS = 3_000;
/** The longest wait after file errors; milliseconds. */
const BACKOFF_MAX_MS = 30_000;
/** How long the sentence about lost data stays; milliseconds. */
const LOST_SHOWN_MS = 24 * 3600_000;

/** When scans and recoveries happen, and who may make them. Decides nothing about files. */
export class ScanLoop {
  /** The volume's id once it is proved; null before. */
  volumeId: string | null = null;
  /** Whether another scanner leads. */
  standby = true;
  private trouble: string | null = null;
  private redisTrouble: string | null = null;
  private lost: { sentence: string; at: number; session: string | null } | null = null;
  private readonly memory = new ScanMemory();
  private readonly recovery: RecoveryMemory = { leftOvers: new Set(), failedAt: 0 };
  private readonly sessionFile: SessionFile;
  private asked = false;
  private heldUntil = 0;
  private recoverAt = 0;
  private memoryAt = 0;
  private failures = 0;
  private stopping = false;
  private proved = false;
  private lead: NodeJS.Timeout | null = null;
  private wake: (() => void) | null = null;
  private running: Promise<void> | null = null;

  constructor(
    private readonly parts: ScannerParts,
    private readonly lease: ScannerLease,
    private readonly times: { pollIntervalMs: number; recoveryIntervalMs: number },
    private readonly onScan: (scanned: Scanned, ms: number) => void,
    private readonly fail: (error: unknown) => void,
  ) {
    this.sessionFile = new SessionFile(parts);
  }

  /** Begins: renews the lease by a timer of its own, and scans while it is held. */
  start(): void {
    const renew = () =>
      void this.renew().finally(() => (this.lead = this.stopping ? null : setTimeout(renew, RENEW_MS)));
    renew();
    this.running = this.run();
  }

  /** Stops scanning and gives the lease up. */
  async stop(): Promise<void> {
    this.stopping = true;
    if (this.lead) clearTimeout(this.lead);
    this.wake?.();
    await Promise.race([this.running, new Promise((resolve) => setTimeout(resolve, 2000))]);
    await Promise.race([
      this.lease.release().catch(() => undefined),
      new Promise((resolve) => setTimeout(resolve, 500)),
    ]);
  }

  /** Why it is not ready; a scanner that stands by is. */
  readyReasons(): string[] {
    if (!this.asked) return ['the lease is not asked for yet'];
    if (this.standby && this.heldUntil === 0) return this.trouble === null ? [] : [this.trouble];
    return this.volumeId === null ? [this.trouble ?? 'the volume is not proved yet'] : [];
  }

  /** Sentences for `problems`. */
  problems(): string[] {
    const lost = this.lost && this.parts.now() - this.lost.at < LOST_SHOWN_MS ? this.lost.sentence : null;
    return [this.trouble, this.redisTrouble, this.sessionFile.problem, lost].filter(
      (sentence): sentence is string => sentence !== null,
    );
  }

  private holds(): boolean {
    return performance.now() < this.heldUntil;
  }

  private async renew(): Promise<void> {
    // counted from before the call: our lease never seems longer than Redis' own
    const asked = performance.now();
    try {
      const held = await this.lease.take();
      this.asked = true;
      const led = this.holds();
      this.heldUntil = held ? asked + LEASE_MS - 1000 : 0;
      this.standby = !held;
      if (held && !led) this.takeLead();
    } catch (error) {
      this.parts.log.debug(`lease: ${messageOf(error)}`);
    }
  }

  private takeLead(): void {
    this.memory.clear();
    this.recovery.leftOvers.clear();
    this.recoverAt = 0;
    this.proved = false;
    this.wake?.();
  }

  private async run(): Promise<void> {
    while (!this.stopping) {
      if (this.holds()) await this.tick();
      await this.sleep(
        this.failures > 0
          ? Math.min(BACKOFF_MAX_MS, this.times.pollIntervalMs * 2 ** Math.min(this.failures, 20))
          : this.times.pollIntervalMs,
      );
    }
  }

  private async tick(): Promise<void> {
    try {
      await this.scan();
      if (this.trouble !== null) this.parts.log.info('the shared volume is well again');
      this.trouble = null;
      this.failures = 0;
    } catch (error) {
      if (error instanceof StartupError) return this.fail(error);
      if (error instanceof LeaseLost) {
        this.heldUntil = 0;
        return;
      }
      this.failures += 1;
      const known = error instanceof VolumeError || error instanceof WrongVolume;
      if (error instanceof WrongVolume) this.volumeId = null;
      const sentence = known
        ? error instanceof WrongVolume
          ? error.message
          : `The shared volume fails: ${error.message}`
        : `A scan failed: ${messageOf(error)}`;
      if (sentence !== this.trouble)
        this.parts.log.warn(
          { stack: known || !(error instanceof Error) ? undefined : error.stack },
          sentence,
        );
      this.trouble = sentence;
    }
  }

  private async scan(): Promise<void> {
    const { parts, memory } = this;
    await this.checkMemory();
    const lost = this.proved && (await parts.redis.exists(`${parts.prefix}:volume`)) === 0;
    if (!this.proved) {
      this.volumeId = await proveVolume(parts);
      await this.restoreSession(false);
      this.proved = true;
    } else this.volumeId = await checkVolume(parts);
    if (lost) {
      memory.clear();
      this.recoverAt = 0;
      await this.restoreSession(true);
    }
    if (parts.now() >= this.recoverAt) {
      const { processing, failed } = await recover(parts, this.recovery);
      [memory.processing, memory.failed] = [processing, failed];
      this.recoverAt = parts.now() + this.times.recoveryIntervalMs;
    }
    const watch = (await parts.sessions.watch()) ?? { enabled: false, session: null };
    const key = watch.session ? `${watch.session.datePrefix}/${watch.session.encodedSession}` : null;
    if (this.lost && this.lost.session !== key) this.lost = null;
    await this.sessionFile.keep(watch);
    const began = performance.now();
    this.onScan(await scanOnce(parts, memory, watch), performance.now() - began);
  }

  /** Redis knows no session at all: it is new, or lost its data, and the volume knows better. */
  private async restoreSession(lost: boolean): Promise<void> {
    if ((await this.parts.sessions.watch()) !== null) return;
    const session = await this.sessionFile.restore();
    if (session === null && !lost) return;
    const at = this.parts.now();
    const what =
      session === null ? 'no session was active' : `the session ${session} was restored from the volume`;
    this.lost = {
      at,
      session,
      sentence: `Redis had lost its data at ${new Date(at).toISOString()}: ${what}, and the counters began again.`,
    };
    this.parts.log.warn(this.lost.sentence);
  }

  private async checkMemory(): Promise<void> {
    if (this.parts.now() < this.memoryAt) return;
    this.memoryAt = this.parts.now() + 10_000;
    this.redisTrouble = memoryProblem(await readRedisMemory(this.parts.redis));
  }

  private sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
