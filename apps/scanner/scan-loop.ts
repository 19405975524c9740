import { messageOf, VolumeError } from '@app/shared/domain';
import { LEASE_MS, type ScannerLease } from '@app/shared/pods';
import { refusalProblem, writeRefusal } from '@app/shared/redis';
import { StartupError } from '@app/shared/runtime';
import { LeaseLost, type ScannerParts } from './parts.js';
import type { Round, Rounds } from './rounds.js';
import type { Scanned } from './scan-once.js';
import { WrongVolume } from './volume-identity.js';

/** How often the lease is renewed; milliseconds. */
const RENEW_MS = 3_000;
/** The lease counts as lost this much before Redis gives it away; milliseconds. */
const LEASE_SLACK_MS = 1_000;
/** The longest wait after errors; milliseconds. */
const BACKOFF_MAX_MS = 30_000;

/** When rounds happen, and who may make them: timer, lease, back-off. Decides nothing about files. */
export class ScanLoop {
  /** Whether another scanner leads, as far as is known. */
  standby = true;
  private trouble: string | null = null;
  /** When Redis last answered, by this process' clock; null before the first answer. */
  private answeredAt: number | null = null;
  /** The sentence for a Redis that would not renew the lease. */
  private refused: string | null = null;
  private heldUntil = 0;
  private seen: Scanned | null = null;
  private tookLead = false;
  /** Whether the next round is not to be waited for. */
  private hurried = false;
  private failures = 0;
  private stopping = false;
  private everProved = false;
  private leaseTimer: NodeJS.Timeout | null = null;
  private wake: (() => void) | null = null;
  private running: Promise<void> | null = null;

  constructor(
    private readonly parts: ScannerParts,
    private readonly lease: ScannerLease,
    private readonly rounds: Rounds,
    private readonly pollIntervalMs: number,
    private readonly onRound: (round: Round) => void,
    private readonly fail: (error: unknown) => void,
  ) {}

  /** Begins: renews the lease by a timer of its own, and scans while it is held. */
  start(): void {
    const renew = () =>
      void this.renew().finally(() => {
        if (!this.stopping) this.leaseTimer = setTimeout(renew, RENEW_MS);
      });
    renew();
    this.running = this.run();
  }

  /** Stops scanning and gives the lease up. Never waits long. */
  async stop(): Promise<void> {
    this.stopping = true;
    if (this.leaseTimer) clearTimeout(this.leaseTimer);
    this.wake?.();
    await within(2_000, this.running);
    await within(500, this.lease.release());
  }

  /** Makes the next round come at once, as when a session has just been started. */
  hurry(): void {
    this.hurried = true;
    this.wake?.();
  }

  /** Whether this scanner may act: by its own clock, which also runs on while it is frozen. */
  leads(): boolean {
    return !this.stopping && performance.now() < this.heldUntil;
  }

  /** What the last scan of this lead saw; null where this scanner does not lead, also right after it slept through its lease. */
  get lastScan(): Scanned | null {
    return this.leads() ? this.seen : null;
  }

  /** The id of the volume; null before it is proved, and while it is the wrong one. */
  get volumeId(): string | null {
    return this.rounds.volumeId;
  }

  /** Why it is not ready; a scanner that stands by is. */
  readyReasons(): string[] {
    if (this.answeredAt === null) return ['the lease is not asked for yet'];
    if (performance.now() - this.answeredAt > LEASE_MS) return ['Redis does not answer'];
    if (this.refused !== null) return [this.refused];
    if (this.standby) return [];
    return this.volumeId === null ? [this.trouble ?? 'the volume is not proved yet'] : [];
  }

  /** Sentences for `problems`. */
  problems(): string[] {
    return [
      ...(this.trouble === null ? [] : [this.trouble]),
      ...(this.standby ? [] : this.rounds.problems()),
    ];
  }

  private async renew(): Promise<void> {
    // counted from before the call: our lease never seems longer than Redis' own
    const asked = performance.now();
    try {
      const held = await this.lease.take();
      const led = this.leads();
      this.answeredAt = performance.now();
      this.refused = null;
      this.heldUntil = held ? asked + LEASE_MS - LEASE_SLACK_MS : 0;
      this.standby = !held;
      if (!held && led) this.parts.log.warn('another scanner leads now, this one stands by');
      if (held && !led) {
        this.tookLead = true;
        this.rounds.doubtVolume();
        this.seen = null;
        this.wake?.();
      }
    } catch (error) {
      this.parts.log.debug(`lease: ${messageOf(error)}`);
      const words = writeRefusal(error);
      if (words === null) return;
      this.answeredAt = performance.now();
      this.refused = refusalProblem(words);
    }
  }

  private async run(): Promise<void> {
    while (!this.stopping) {
      if (this.leads()) await this.round();
      else if (this.standby && this.answeredAt !== null) this.trouble = null;
      const backOffMs = this.pollIntervalMs * 2 ** Math.min(this.failures, 20);
      await this.sleep(Math.min(Math.max(BACKOFF_MAX_MS, this.pollIntervalMs), backOffMs));
    }
  }

  private async round(): Promise<void> {
    this.hurried = false;
    try {
      if (this.tookLead) {
        this.tookLead = false;
        this.rounds.forget();
      }
      const round = await this.rounds.round();
      // a lead that was lost and taken anew in mid-round begins with nothing
      if (!this.tookLead) this.seen = round.scanned;
      this.everProved = true;
      if (this.trouble !== null) this.parts.log.info('scanning goes on');
      this.trouble = null;
      this.failures = 0;
      this.onRound(round);
    } catch (error) {
      if (error instanceof LeaseLost) {
        // Redis may know no holder at all: asked again, and everything begins anew
        if (!this.stopping) this.heldUntil = 0;
      } else if (!this.stopping) this.failed(error);
    }
  }

  private failed(error: unknown): void {
    // settings that were right once are not what is wrong now
    if (error instanceof StartupError && !this.everProved) return this.fail(error);
    this.failures += 1;
    const refusal = writeRefusal(error);
    const sentence =
      refusal !== null
        ? refusalProblem(refusal)
        : error instanceof WrongVolume || error instanceof StartupError
          ? error.message
          : error instanceof VolumeError
            ? `the shared volume fails: ${error.message}`
            : `a scan failed: ${messageOf(error)}`;
    if (error instanceof WrongVolume) this.rounds.doubtVolume();
    if (sentence !== this.trouble) {
      this.parts.log.warn(sentence);
      if (!(error instanceof VolumeError) && error instanceof Error)
        this.parts.log.debug({ stack: error.stack }, 'where it came from');
    }
    this.trouble = sentence;
  }

  private sleep(ms: number): Promise<void> {
    if (this.stopping || ((this.tookLead || this.hurried) && this.leads())) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Waits for some work, but no longer than `ms` milliseconds, and whatever becomes of it. */
export async function within(ms: number, work: Promise<unknown> | null): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([Promise.resolve(work).catch(() => undefined), late]);
  clearTimeout(timer);
}
