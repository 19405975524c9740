import { formatBytes, Interrupted, LargerThanStaging } from '../domain/index.js';

/** Room on the staging disk that is kept for one file. */
export interface Reservation {
  /** Bytes. */
  readonly bytes: number;
  /** Bytes of it that are on the disk already; kept up to date by staging. */
  written: number;
  /** Gives the room back; safe to repeat. */
  release(): void;
}

interface Waiter {
  readonly bytes: number;
  readonly grant: (reservation: Reservation) => void;
  readonly refuse: (error: Error) => void;
}

/** How often a waiter looks whether somebody else freed the disk; milliseconds. */
const LOOK_AGAIN_MS = 1_000;
/** For how long a disk that is not half reserved need not be asked again; milliseconds. */
const ROOMY_MS = 1_000;

/** Keeps room on the staging disk, first come, first served: a file is staged only when its bytes are reserved. */
export class Reservations {
  private readonly held = new Set<Reservation>();
  private readonly waiters: Waiter[] = [];
  private timer: NodeJS.Timeout | null = null;
  /** What the disk had, and when it was asked, by `performance.now()`. */
  private known = { capacity: 0, at: -Infinity };
  private serving = false;
  private again = false;

  /**
   * @param free bytes that the disk has free now
   * @param limit bytes to use at most, null for what the disk has
   */
  constructor(
    private readonly free: () => Promise<number>,
    private readonly limit: number | null,
  ) {}

  /** Bytes reserved. */
  get reserved(): number {
    return [...this.held].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** All that can ever be reserved at once, as the disk is now. */
  async capacity(): Promise<number> {
    const free = await this.free();
    const ours = [...this.held].reduce((sum, { written }) => sum + written, 0);
    return Math.min(this.limit ?? Infinity, free + ours);
  }

  /**
   * Waits for room.
   *
   * @throws LargerThanStaging where the file is larger than the whole; Interrupted on abort
   */
  reserve(bytes: number, signal: AbortSignal): Promise<Reservation> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(new Interrupted('stopped while waiting for staging room'));
      const abort = () => waiter.refuse(new Interrupted('stopped while waiting for staging room'));
      const leave = () => {
        signal.removeEventListener('abort', abort);
        const at = this.waiters.indexOf(waiter);
        if (at >= 0) this.waiters.splice(at, 1);
      };
      const waiter: Waiter = {
        bytes,
        grant: (reservation) => (leave(), resolve(reservation)),
        refuse: (error) => (leave(), reject(error)),
      };
      signal.addEventListener('abort', abort, { once: true });
      this.waiters.push(waiter);
      void this.serve();
    });
  }

  private async serve(): Promise<void> {
    if (this.serving) return void (this.again = true);
    this.serving = true;
    do {
      this.again = false;
      await this.serveOnce();
    } while (this.again);
    this.serving = false;
    if (this.timer) clearTimeout(this.timer);
    this.timer = this.waiters.length > 0 ? setTimeout(() => void this.serve(), LOOK_AGAIN_MS) : null;
  }

  private async serveOnce(): Promise<void> {
    let capacity: number;
    try {
      capacity = this.roomy() ? this.known.capacity : await this.ask();
    } catch (error) {
      for (const waiter of [...this.waiters])
        waiter.refuse(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    for (let first = this.waiters[0]; first; first = this.waiters[0]) {
      if (first.bytes > capacity)
        first.refuse(
          new LargerThanStaging(
            `it has ${formatBytes(first.bytes)}, the staging of this uploader holds ${formatBytes(capacity)} (APP_STAGING_LIMIT, APP_LOCAL_STAGING_ROOT)`,
          ),
        );
      else if (this.reserved + first.bytes <= capacity) first.grant(this.hold(first.bytes));
      else return;
    }
  }

  private async ask(): Promise<number> {
    this.known = { capacity: await this.capacity(), at: performance.now() };
    return this.known.capacity;
  }

  /** Whether there is so much room for all who wait that what others write meanwhile makes no difference. */
  private roomy(): boolean {
    const wanted = this.waiters.reduce((sum, { bytes }) => sum + bytes, this.reserved);
    return performance.now() - this.known.at < ROOMY_MS && wanted <= this.known.capacity / 2;
  }

  private hold(bytes: number): Reservation {
    const reservation: Reservation = {
      bytes,
      written: 0,
      release: () => {
        if (this.held.delete(reservation) && this.waiters.length > 0) void this.serve();
      },
    };
    this.held.add(reservation);
    return reservation;
  }
}
