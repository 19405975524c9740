import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { messageOf, VolumeError, type Clocks } from '../domain/index.js';
import { steadyMs } from './moment.js';
import type { Volume } from './volume.js';

/** How often the clock is read; milliseconds, contract: at least once a minute. */
const READ_EVERY_MS = 30_000;
/** A reading holds for so long, in case later ones fail; milliseconds. */
const HOLDS_MS = 60_000;
/** A difference that is said, and beyond which two readings contradict each other; milliseconds. */
const SKEW_MS = 1_000;
/** Times of whole seconds are taken for those of a file system that keeps two (FAT, and some SMB servers). */
const COARSE_MS = 2_000;
const SECOND_NS = 1_000_000_000n;

/** What a reading found. */
interface Reading {
  /** The server's time, rounded down as coarsely as it keeps times; milliseconds since 1970. */
  readonly serverMs: number;
  /** When the file was certainly written; milliseconds of this process' steady clock. */
  readonly steadyMs: number;
}

/**
 * The clock of the shared volume's server, which stamps the files, read off a file that was just written. Between two
 * readings it runs on by this process' steady clock, so a jump of the wall clock does no harm. It is never ahead of the
 * server's: what it is uncertain of makes ages smaller.
 */
export class VolumeClock {
  /** Why the clock could not be read last time; null where it could. */
  failure: string | null = null;
  private reading: Reading | null = null;
  /** Until when the clock is not believed since two readings contradicted each other, by the steady clock. */
  private doubtedUntil = -Infinity;
  private triedAt = -Infinity;
  private running: Promise<void> | null = null;
  private readonly begin = { wallMs: Date.now(), steadyMs: steadyMs() };

  /**
   * @param folder on the volume, where the file is written; it is gone afterwards
   * @param minAgeMs files are not believed to rest for less, so a clock that jumped is believed again after as long
   */
  constructor(
    private readonly volume: Volume,
    private readonly folder: string,
    private readonly minAgeMs: number,
  ) {}

  /** Reads the clock if the last reading is older than {@link READ_EVERY_MS}. Never throws: see {@link failure}. */
  async keep(): Promise<void> {
    if (steadyMs() - this.triedAt >= READ_EVERY_MS) await this.read();
  }

  /** Reads the clock. Never throws: see {@link failure}. */
  read(): Promise<void> {
    this.running ??= this.readNow().finally(() => (this.running = null));
    return this.running;
  }

  /** The clocks as of now, whole milliseconds. */
  now(): Clocks {
    const now = steadyMs();
    const volumeMs =
      this.reading && now - this.reading.steadyMs <= HOLDS_MS && now >= this.doubtedUntil
        ? Math.floor(this.reading.serverMs + (now - this.reading.steadyMs))
        : null;
    return { steadyMs: Math.floor(this.begin.wallMs + (now - this.begin.steadyMs)), volumeMs };
  }

  /** How far the wall clock of this process is ahead of the server's, milliseconds; null where that is not known. */
  skewMs(): number | null {
    const { volumeMs } = this.now();
    return volumeMs === null ? null : Date.now() - volumeMs;
  }

  /** Sentences for `problems`: a skew of over a second, or a clock that cannot be read. */
  problems(): string[] {
    const skew = this.skewMs();
    if (skew === null)
      return this.failure === null
        ? []
        : [
            `the clock of the shared volume cannot be read, so a file must be seen unchanged for the whole of APP_MIN_FILE_AGE_S: ${this.failure}`,
          ];
    // what a reading is uncertain of is no skew
    if (skew >= -SKEW_MS && skew <= SKEW_MS + COARSE_MS * Number(this.isCoarse)) return [];
    return [
      `the clock of the shared volume is ${(Math.abs(skew) / 1000).toFixed(1)} s ${skew > 0 ? 'behind' : 'ahead of'} this pod's; ages are counted by the volume's`,
    ];
  }

  private isCoarse = false;

  private async readNow(): Promise<void> {
    this.triedAt = steadyMs();
    try {
      const path = join(this.folder, `.sluice-probe-${randomBytes(6).toString('hex')}`);
      const { mtimeNs, ctimeNs, at } = await this.volume.stamp(path);
      const earlier = mtimeNs < ctimeNs ? mtimeNs : ctimeNs;
      this.isCoarse = earlier % SECOND_NS === 0n;
      const serverMs = Number(earlier / 1_000_000n) - (this.isCoarse ? COARSE_MS : 0);
      this.learn({ serverMs, steadyMs: at });
      this.failure = null;
    } catch (error) {
      if (!(error instanceof VolumeError)) throw error;
      this.failure = messageOf(error);
    }
  }

  private learn(reading: Reading): void {
    const before = this.reading;
    if (before) {
      const expected = before.serverMs + (reading.steadyMs - before.steadyMs);
      // the server's clock was set: files stamped before and after cannot be told apart for a while
      if (Math.abs(reading.serverMs - expected) > SKEW_MS + (this.isCoarse ? COARSE_MS : 0))
        this.doubtedUntil = reading.steadyMs + this.minAgeMs;
    }
    this.reading = reading;
  }
}
