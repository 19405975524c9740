import { readVolumeId } from '@app/shared/files';
import { BlockedEntries } from './blocked-entries.js';
import { listDropFolder } from './drop-folder.js';
import { Entries } from './entries.js';
import { lookAtMany } from './looks.js';
import type { ScannerParts } from './parts.js';
import type { Rounds } from './rounds.js';
import { ScanMemory } from './scan-memory.js';
import { Sidecars } from './sidecars.js';
import { Smallest } from './smallest.js';

/** Files of an answer, and bytes of their names: it goes through Redis, and on to an uploader. */
const FILES_MAX = 1_000;
const NAMES_MAX_BYTES = 256 * 1024;

/** A file that stands in the drop folder, whether it is at rest or not. */
export interface WaitingFile {
  readonly filename: string;
  /** Bytes; null where it could not be looked at. */
  readonly size: number | null;
  /** The key of the session for which it is queued; null where it is not yet. */
  readonly session: string | null;
}

/** Tells page by page which files stand in the drop folder, by the listing of a scan. Writes nothing. */
export class WaitingFiles {
  /** Apart from that of the scans, which go on meanwhile; no file in it is known to be queued. */
  private readonly memory = new ScanMemory();
  /** Ends with the listing of the page before: two at once must not share the memory. */
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly parts: ScannerParts,
    private readonly rounds: Rounds,
  ) {}

  /**
   * Answers the question `waiting`: files by name, those after a name, at most `limit` and at most a thousand. What is
   * ignored is not among them.
   *
   * @returns also the name after which the next page begins; null where none follows
   * @throws Error where the volume is not the right one; VolumeError
   */
  async answer({
    after,
    limit,
  }: Readonly<Record<string, unknown>>): Promise<{ files: WaitingFile[]; next: string | null }> {
    await this.mustBeTheVolume();
    const from = typeof after === 'string' ? after : '';
    const most = typeof limit === 'number' ? Math.min(limit, FILES_MAX) : FILES_MAX;
    const listing = this.turn.then(() => this.namesAfter(from, most + 1));
    this.turn = listing.catch(() => undefined);
    const names = await listing;
    const { volume, layout } = this.parts;
    const page = names.slice(0, Math.min(most, fitting(names)));
    const looks = await lookAtMany(volume, layout.roots.incoming, page);
    const files = page.flatMap((filename, i): WaitingFile[] => {
      const look = looks[i];
      const session = this.rounds.queuedFor(filename);
      if (look instanceof Error) return [{ filename, size: null, session }];
      // gone since it was listed, or of a kind that the listing did not tell
      return look?.kind === 'file' ? [{ filename, size: look.size, session }] : [];
    });
    return { files, next: names.length > page.length ? (page.at(-1) ?? null) : null };
  }

  /** The smallest names after one. @throws VolumeError */
  private async namesAfter(from: string, count: number): Promise<string[]> {
    const { volume, layout } = this.parts;
    const smallest = new Smallest(count);
    const window = { offer: (name: string) => void (name > from && smallest.offer(name)) };
    // a folder that may not be read is passed over, as a scan does
    const blocked = new BlockedEntries(volume, layout.roots, () => Promise.resolve(true));
    const entries = new Entries(new Map(), 0);
    const sidecars = new Sidecars(this.parts);
    // of a tree only those folders are listed in which something came or went since the last scan
    this.memory.folders.startFrom(this.rounds.folders);
    await listDropFolder(this.parts, this.memory, window, entries, null, sidecars, blocked);
    this.memory.clear();
    return smallest.sorted();
  }

  /** An unmounted folder looks like one without files. */
  private async mustBeTheVolume(): Promise<void> {
    const { volume, layout } = this.parts;
    const { volumeId } = this.rounds;
    if (volumeId === null || (await readVolumeId(volume, layout.volumeFile)) !== volumeId)
      throw new Error('its volume is not proved; /v1/status says why');
  }
}

/** How many names fit into an answer; one always does. */
function fitting(names: readonly string[]): number {
  let bytes = 0;
  const first = names.findIndex((name) => (bytes += Buffer.byteLength(name)) > NAMES_MAX_BYTES);
  return first < 0 ? names.length : Math.max(1, first);
}
