import { codeOf, Layout, messageOf, type Roots } from '@app/shared/domain';
import { readVolumeId, Volume } from '@app/shared/files';
import type { DiskUse } from '@app/shared/pods';

/** How often the volume is sampled; milliseconds. */
const SAMPLE_MS = 5_000;

/** What the api sees of the volume, sampled in the background: no request waits for it, and an api without one is fine. */
export class VolumeSample {
  id: string | null = null;
  space: DiskUse | null = null;
  /** The sentence for `problems`; null where all is well, or where nothing is mounted, which is fine too. */
  trouble: string | null = null;
  private readonly volume = new Volume({ threads: 1, maxHung: 1 });
  private readonly layout: Layout;
  private timer: NodeJS.Timeout | null = null;
  private stopped = false;

  constructor(roots: Roots) {
    this.layout = new Layout(roots);
  }

  /** Begins sampling. */
  start(): void {
    void this.sample();
  }

  /** Milliseconds for which a call has hung; 0 if none does. */
  hungSinceMs(): number {
    return this.volume.hungSinceMs(Date.now());
  }

  /** Ends sampling. */
  async stop(): Promise<void> {
    this.stopped = true;
    if (this.timer) clearTimeout(this.timer);
    await this.volume.stop();
  }

  private async sample(): Promise<void> {
    try {
      this.id = await readVolumeId(this.volume, this.layout.volumeFile);
      const { bytesTotal, bytesFree, inodesTotal, inodesFree } = await this.volume.space(
        this.layout.roots.processing,
      );
      this.space = {
        bytes_total: bytesTotal,
        bytes_free: bytesFree,
        inodes_total: inodesTotal,
        inodes_free: inodesFree,
      };
      this.trouble = null;
    } catch (error) {
      this.space = null;
      this.trouble =
        codeOf(error) === 'ENOENT'
          ? null
          : `the shared volume fails here, which no request waits for: ${messageOf(error)}`;
    }
    if (!this.stopped) this.timer = setTimeout(() => void this.sample(), SAMPLE_MS);
  }
}
