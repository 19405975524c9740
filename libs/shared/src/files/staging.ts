import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, messageOf, StagingError, type BlockRule, type DigestAlgorithm } from '../domain/index.js';
import { makeFolder } from './folders.js';
import type { Moment } from './moment.js';
import { OWNER_TOUCH_MS, StagingOwner } from './owner.js';
import { Hasher, type HashSlot } from './hasher.js';
import { Gather } from './gather.js';
import type { SeveralAnswers } from './serve.js';
import { Reservations, type Reservation } from './reservations.js';
import { StagedFile } from './staged-file.js';
import { StagedNames } from './staged-names.js';
import type { StageAnswer, StageRequest } from './staging.worker.js';
import type { FileCall } from './calls.js';
import { Threads } from './threads.js';
import type { Space } from './volume.js';

/** How a staging folder is set up. */
export interface StagingOptions {
  /** On local disk, this uploader's alone. */
  readonly root: string;
  /** Most bytes at once; null for what the disk has. */
  readonly limitBytes: number | null;
  readonly blockRule: BlockRule;
  /** Whether the whole file's MD5 is taken besides the blocks'. */
  readonly contentMd5: boolean;
  /** Files at once; default {@link THREADS}. */
  readonly threads?: number;
  /** Milliseconds without a byte after which a copy is given up; default 30,000. */
  readonly deadlineMs?: number;
  readonly onCall?: (call: FileCall) => void;
}

/** One file to stage. */
export interface StageOrder {
  /** What is to be renamed to `source` first, while it is not later than `before`; null where that is done. */
  readonly claim: { readonly from: string; readonly before: Moment } | null;
  readonly source: string;
  /** `<date>/<encoded session>` below the root. */
  readonly folder: string;
  /** What the last look saw; anything else counts as a change. */
  readonly expect: { readonly size: number; readonly mtimeNs: bigint } | null;
  /** Digests of the whole file that are taken besides those that the folder takes of each. */
  readonly digests?: readonly DigestAlgorithm[];
  readonly room: Reservation;
  readonly signal: AbortSignal;
}

/** What became of it; anything but `staged` left nothing on the disk. */
export type StageResult =
  | {
      readonly kind: 'staged';
      readonly file: StagedFile;
      /** Milliseconds that the claim took; null without one. */
      readonly claimMs: number | null;
    }
  | Exclude<StageAnswer, { kind: 'staged' }>;

/** How often left-overs of dead processes are looked for, in touches. */
const SWEEP_EVERY = 6;
/** Files that are copied at once by default: as many as are hashed side by side. */
const THREADS = 4;
/** Files of so many bytes are small: one read, one write, and their bytes are kept in memory. */
const SMALL_MAX = 64 * 1024;
/** Small files that one thread stages in one go at most: each is synced, and others sync beside it. */
const SMALL_TOGETHER = 4;
/** Copies that may hang on the volume besides those that work. */
const MAX_HUNG = 4;

/** The staging folder of one uploader: room is reserved, files are copied and hashed in threads, and read back. */
export class Staging {
  private readonly owner: StagingOwner;
  private readonly reservations: Reservations;
  private readonly threads: Threads;
  private readonly gather: Gather;
  private readonly hasher: Hasher | null;
  private readonly names: StagedNames;
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly options: StagingOptions) {
    this.owner = new StagingOwner(options.root);
    this.names = new StagedNames(options.root, this.owner.id);
    this.reservations = new Reservations(async () => (await this.space()).bytesFree, options.limitBytes);
    const threads = options.threads ?? THREADS;
    this.hasher = Hasher.make(threads + MAX_HUNG, options.contentMd5);
    this.threads = new Threads({
      file: join(__dirname, 'staging.worker.js'),
      threads,
      deadlineMs: options.deadlineMs ?? 30_000,
      maxHung: MAX_HUNG,
      ...(options.onCall && { onCall: options.onCall }),
      equip: () => this.equip(),
      onLate: (answer) => this.discardLate(answer as StageAnswer | SeveralAnswers | undefined),
    });
    this.gather = new Gather(this.threads, SMALL_TOGETHER);
  }

  /**
   * Makes the folder and removes what dead processes left in it.
   *
   * @returns how many files were removed
   * @throws StagingError where the folder cannot be made or written
   */
  start(): number {
    try {
      makeFolder(this.options.root);
      this.owner.mark();
      let touches = 0;
      this.timer = setInterval(() => {
        touches += 1;
        this.quietly(() => this.owner.touch());
        if (touches % SWEEP_EVERY === 0) this.quietly(() => this.owner.sweep(Date.now()));
      }, OWNER_TOUCH_MS);
      this.timer.unref();
      return this.owner.sweep(Date.now());
    } catch (error) {
      throw new StagingError(
        codeOf(error) ?? 'EUNKNOWN',
        `APP_LOCAL_STAGING_ROOT ${this.options.root} is not usable: ${messageOf(error)}`,
      );
    }
  }

  /** Waits for room; see {@link Reservations.reserve}. */
  reserve(bytes: number, signal: AbortSignal): Promise<Reservation> {
    return this.reservations.reserve(bytes, signal);
  }

  /**
   * Copies a file into the folder in one pass, with its digests, and syncs it; where asked to, it claims it first, in the
   * same call. The source may hang: that costs a thread, and the call its deadline.
   *
   * @throws VolumeError for the source, StagingError for the local disk (`ENOSPC`), Interrupted
   */
  async stage(order: StageOrder): Promise<StageResult> {
    const { room, signal } = order;
    const isSmall = order.expect !== null && order.expect.size <= SMALL_MAX;
    const path = this.names.take(order.folder, isSmall);
    const { blockRule, contentMd5 } = this.options;
    const request: StageRequest = {
      ...{ claim: order.claim, source: order.source, expect: order.expect },
      ...{ target: path, blockRule, handOverMax: SMALL_MAX },
      contentMd5: contentMd5 || (order.digests?.includes('md5') ?? false),
      sha256: order.digests?.includes('sha256') ?? false,
    };
    const subject = order.source.slice(order.source.lastIndexOf('/') + 1);
    const onProgress = (bytes: number) => void (room.written = bytes);
    try {
      const answer = isSmall
        ? await this.gather.run<StageAnswer>('stage', subject, request, signal)
        : await this.threads.run<StageAnswer>('stage', subject, request, { signal, onProgress });
      if (answer.kind === 'staged') {
        room.written = answer.look.size;
        const file = new StagedFile(answer, () => this.names.giveBack(path));
        return { kind: 'staged', file, claimMs: answer.claimMs };
      }
      void this.names.giveBack(path);
      room.written = 0;
      return answer;
    } catch (error) {
      void this.names.remove(path);
      throw error;
    }
  }

  /** Bytes reserved now. */
  get reservedBytes(): number {
    return this.reservations.reserved;
  }

  /** Room on the staging disk. @throws StagingError */
  async space(): Promise<Space> {
    try {
      const { bsize, blocks, bavail, files, ffree } = await statfs(this.options.root);
      return { bytesTotal: blocks * bsize, bytesFree: bavail * bsize, inodesTotal: files, inodesFree: ffree };
    } catch (error) {
      throw new StagingError(
        codeOf(error) ?? 'EUNKNOWN',
        `APP_LOCAL_STAGING_ROOT ${this.options.root} is not usable: ${messageOf(error)}`,
      );
    }
  }

  /** Milliseconds since the last sign of life of the copy that has been silent longest; 0 if none. */
  hungSinceMs(now: number): number {
    return this.threads.hungSinceMs(now);
  }

  /** Ends the threads; safe to repeat. @returns whether one still hangs */
  async stop(): Promise<boolean> {
    if (this.timer) clearInterval(this.timer);
    await this.names.settled();
    const hangs = await this.threads.stop();
    await this.hasher?.stop();
    this.quietly(() => this.owner.unmark());
    return hangs;
  }

  private equip(): { data: HashSlot | null; takeBack: () => void } {
    const slot = this.hasher?.lend() ?? null;
    return { data: slot, takeBack: () => slot && this.hasher?.takeBack(slot) };
  }

  private quietly(work: () => unknown): void {
    try {
      work();
    } catch {
      // house-keeping on a disk that may be gone: whoever stages meets the error
    }
  }

  /** A copy that was given up and came through after all. */
  private discardLate(answer: StageAnswer | SeveralAnswers | undefined): void {
    if (!answer) return;
    if (!('kind' in answer)) {
      for (const each of answer) if ('value' in each) this.discardLate(each.value as StageAnswer);
      return;
    }
    if (answer.kind === 'staged') void new StagedFile(answer, () => this.names.remove(answer.path)).discard();
  }
}
