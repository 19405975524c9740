import { findFoldings, findRestless, foldersShowChanges } from '@app/shared/files';
import { memoryProblem, readRedisMemory } from '@app/shared/redis';
import type { Difference } from '@app/shared/domain';
import type { ScannerParts } from './parts.js';
import { forgetThrough } from './namesakes.js';
import { recover, RecoveryMemory } from './recover.js';
import { RedisContinuity } from './redis-continuity.js';
import { ScanMemory } from './scan-memory.js';
import { scanOnce, type Scanned } from './scan-once.js';
import { SessionFile } from './session-file.js';
import type { KnownFolders } from './tree/known-folders.js';
import { checkVolume, proveVolume } from './volume-identity.js';

/** How often the memory of Redis is looked at; milliseconds. */
const REDIS_MEMORY_MS = 10_000;

/** What one round did. */
export interface Round {
  readonly scanned: Scanned;
  /** Duration of the scan in milliseconds. */
  readonly ms: number;
}

/** What the leader does in each round, in order: the right volume, what was lost, what was left, what is new. */
export class Rounds {
  /** The id of the volume; null before it is proved, and while it is the wrong one. */
  volumeId: string | null = null;
  private proved = false;
  /** Whether Redis has to be asked for a session, and whether it is known to have lost its data. */
  private doubt: { readonly lost: boolean } | null = null;
  private readonly memory = new ScanMemory();
  private readonly recovery = new RecoveryMemory();
  private readonly sessionFile: SessionFile;
  private readonly continuity: RedisContinuity;
  private recoverAt = 0;
  private redisMemoryAt = 0;
  private redisProblem: string | null = null;
  private scanProblems: readonly string[] = [];
  private recoveryProblems: readonly string[] = [];
  private restless: readonly Difference[] = [];

  constructor(
    private readonly parts: ScannerParts,
    private readonly recoveryIntervalMs: number,
  ) {
    this.sessionFile = new SessionFile(parts);
    this.continuity = new RedisContinuity(parts, this.sessionFile);
  }

  /** What the last scan found in folders. */
  get folders(): KnownFolders {
    return this.memory.folders;
  }

  /** Forgets everything: this scanner has just taken the lead. */
  forget(): void {
    this.doubtVolume();
    this.proved = false;
    this.forgetFiles();
  }

  /** The key of the session for which a file of the drop folder is queued; null where it is not, or is a later drop of the name. */
  queuedFor(filename: string): string | null {
    const file = this.memory.enqueued.get(filename);
    return file && !file.underWay ? file.session : null;
  }

  /** The volume seems to be the wrong one, or may have been exchanged: nothing acts on it until it is proved again. */
  doubtVolume(): void {
    this.volumeId = null;
  }

  /** Sentences for `problems`. */
  problems(): string[] {
    return [
      this.redisProblem,
      this.sessionFile.problem,
      ...this.scanProblems,
      this.restlessProblem(),
      ...this.parts.clock.problems(),
      ...this.recoveryProblems,
      ...this.continuity.problems(),
    ].filter((sentence): sentence is string => typeof sentence === 'string');
  }

  /**
   * One round.
   *
   * @throws VolumeError, WrongVolume; StartupError where the settings are wrong; LeaseLost
   */
  async round(): Promise<Round> {
    const { parts, memory } = this;
    await this.checkRedisMemory();
    const fresh = !this.proved;
    await this.checkVolume();
    await (fresh ? parts.clock.read() : parts.clock.keep());
    const { watch, doubtful } = await this.continuity.check(this.doubt);
    if (doubtful) this.forgetFiles();
    this.doubt = null;
    await this.recoverNowAndThen();
    await this.sessionFile.keep(watch);
    const began = performance.now();
    const scanned = await scanOnce(parts, memory, watch);
    this.scanProblems = scanned.problems;
    return { scanned, ms: performance.now() - began };
  }

  private forgetFiles(): void {
    this.memory.clear();
    this.recovery.clear();
    this.recoverAt = 0;
  }

  private async checkVolume(): Promise<void> {
    const fresh = !this.proved;
    const { id, forgotten } = fresh ? await proveVolume(this.parts) : await checkVolume(this.parts);
    // kept until it is dealt with: the next check finds the id in Redis again
    if (fresh || forgotten) this.doubt = { lost: forgotten || (this.doubt?.lost ?? false) };
    if (fresh) await this.findFoldings();
    if (fresh) await this.findRestless();
    if (fresh && this.parts.rules.scanDepth > 0) await this.lookAtFolderTimes();
    if (fresh) await this.sessionFile.load();
    this.volumeId = id;
    this.proved = true;
  }

  /** Finds out whether this volume folds names, before any file on it is taken. */
  private async findFoldings(): Promise<void> {
    const { volume, layout, log } = this.parts;
    const foldings = await findFoldings(volume, layout.roots);
    this.memory.namesakes.folds = foldings.length > 0;
    this.memory.namesakes.trees = this.parts.rules.scanDepth > 0;
    if (foldings.length === 0) return;
    log.warn(
      `this volume does not tell names apart by ${foldings.join(' and ')}: of two files that differ in nothing else, the second is held until the first is through`,
    );
  }

  /** Finds out whether sources can be told from others on this volume; where they cannot, files are stored and stay. */
  private async findRestless(): Promise<void> {
    const { volume, layout, log } = this.parts;
    this.restless = await findRestless(volume, layout.roots);
    const problem = this.restlessProblem();
    if (problem !== null) log.warn(problem);
  }

  /** Finds out whether a folder must be listed to know what came into it. */
  private async lookAtFolderTimes(): Promise<void> {
    const { volume, layout, log } = this.parts;
    this.memory.folders.showChanges = await foldersShowChanges(volume, layout.roots);
    if (this.memory.folders.showChanges) return;
    log.warn(
      "this volume's folders do not show by their times that an entry came, so every folder that APP_SCAN_DEPTH reads is listed in every scan",
    );
  }

  private restlessProblem(): string | null {
    return this.restless.length === 0
      ? null
      : `this volume changes the ${this.restless.join(' and ')} of a file that is only renamed or looked at, so no source can be proved and removed; see docs/storage.md`;
  }

  private async recoverNowAndThen(): Promise<void> {
    const { parts, memory } = this;
    if (parts.now() >= this.recoverAt) {
      const first = this.recoverAt === 0;
      await this.continuity.dropStaleJobs();
      const { standing, problems } = await recover(parts, this.recovery, memory.ownNames);
      memory.standing = standing;
      this.recoveryProblems = problems;
      await forgetThrough(parts, memory, memory.namesakes.all());
      memory.namesakes.add(standing.keys());
      if (first) await memory.learn(parts);
      this.recoverAt = parts.now() + this.recoveryIntervalMs;
    }
  }

  private async checkRedisMemory(): Promise<void> {
    if (this.parts.now() < this.redisMemoryAt) return;
    this.redisMemoryAt = this.parts.now() + REDIS_MEMORY_MS;
    this.redisProblem = memoryProblem(await readRedisMemory(this.parts.redis));
  }
}
