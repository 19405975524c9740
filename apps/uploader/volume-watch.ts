import { messageOf, VolumeError, type Layout } from '@app/shared/domain';
import {
  lacksDone,
  missingRoots,
  readVolumeId,
  rootsFault,
  type Volume,
  type VolumeClock,
} from '@app/shared/files';
import { leadingScanner, type DiskUse, type Pods } from '@app/shared/pods';
import { StartupError } from '@app/shared/runtime';

/** How often the volume is sampled; milliseconds. */
const SAMPLE_MS = 5_000;
/** How long a volume may lack the scanner's id: attribute caches of NFS hide a new file for up to a minute by default. */
const HIDDEN_MS = 25_000;

/** Knows which volume this uploader has, whether it is the scanner's, and how full it is. */
export class VolumeWatch {
  /** The id last read; null where there is none. */
  id: string | null = null;
  space: DiskUse | null = null;
  /** Why the volume is not usable now; null when it is. */
  trouble: string | null = 'the volume is not looked at yet';
  private timer: NodeJS.Timeout | null = null;
  private expected: string | null = null;

  constructor(
    private readonly volume: Volume,
    private readonly layout: Layout,
    private readonly pods: Pods,
    private readonly clock: VolumeClock,
    private readonly onChange: () => void,
  ) {}

  /**
   * Waits until this volume is proved to be the scanner's.
   *
   * @throws StartupError where the roots are on different filesystems or not writable, or the volume is another one
   */
  async prove(stopped: () => boolean): Promise<void> {
    let proved = false;
    let missingSince: number | null = null;
    while (!stopped()) {
      try {
        const missing = await missingRoots(this.volume, this.layout.roots);
        const waitsForDone = missing.length === 0 && (await lacksDone(this.volume, this.layout.roots));
        if (missing.length === 0 && !waitsForDone && !proved) {
          const fault = await rootsFault(this.volume, this.layout.roots);
          if (fault) throw new StartupError(fault);
          proved = true;
        }
        const expected = leadingScanner(await this.pods.alive())?.volume ?? null;
        if (expected === null) this.trouble = 'waiting for a live scanner that has proved its volume';
        else {
          this.id = await readVolumeId(this.volume, this.layout.volumeFile);
          if (this.id === expected && proved && !waitsForDone) {
            await this.clock.read();
            this.expected = expected;
            this.trouble = null;
            this.onChange();
            return this.sampleLater();
          }
          missingSince ??= Date.now();
          const isAnother = this.id !== null && !(this.id === expected && waitsForDone);
          if (isAnother || (this.id === null && Date.now() - missingSince > HIDDEN_MS))
            throw new StartupError(this.another(expected, missing));
          this.trouble = this.waitsFor(missing, waitsForDone);
        }
      } catch (error) {
        if (!(error instanceof VolumeError)) throw error;
        this.trouble = error.message;
      }
      await new Promise((resolve) => setTimeout(resolve, 1000).unref());
    }
  }

  /** Ends sampling; safe to repeat. */
  stop(): void {
    if (this.timer) clearTimeout(this.timer);
  }

  private waitsFor(missing: readonly string[], waitsForDone: boolean): string {
    if (missing.length > 0) return `waiting for the scanner to make ${missing.join(', ')}`;
    return waitsForDone
      ? `waiting for the scanner to make ${this.layout.roots.done} (APP_NFS_DONE_ROOT); APP_KEEP_DONE_S must be set there too`
      : "waiting for the scanner's mark on the volume";
  }

  private another(expected: string, missing: readonly string[]): string {
    const has =
      this.id === null
        ? 'has no id (a folder of this pod alone, such as an emptyDir?)'
        : `has the id ${this.id}`;
    const lacks = missing.length > 0 ? `; ${missing.join(', ')} is missing here` : '';
    return `this pod has another volume than the scanner: ${this.layout.volumeFile} ${has}, the scanner's is ${expected}${lacks}. Mount the same ReadWriteMany volume in both (APP_NFS_PROCESSING_ROOT)`;
  }

  private sampleLater(): void {
    this.timer = setTimeout(() => void this.sample(), SAMPLE_MS);
  }

  private async sample(): Promise<void> {
    const before = this.trouble;
    try {
      await this.clock.keep();
      this.id = await readVolumeId(this.volume, this.layout.volumeFile);
      this.trouble =
        this.id === this.expected
          ? null
          : `${this.layout.volumeFile} is not the one of before: the volume is not mounted, or another one is`;
      const { bytesTotal, bytesFree, inodesTotal, inodesFree } = await this.volume.space(
        this.layout.roots.processing,
      );
      this.space = {
        bytes_total: bytesTotal,
        bytes_free: bytesFree,
        inodes_total: inodesTotal,
        inodes_free: inodesFree,
      };
    } catch (error) {
      this.trouble = `the shared volume fails: ${messageOf(error)}`;
    }
    if ((before === null) !== (this.trouble === null)) this.onChange();
    this.sampleLater();
  }
}
