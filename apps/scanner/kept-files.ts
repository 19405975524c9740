import { setTimeout as sleep } from 'node:timers/promises';
import {
  isDatePrefix,
  isEncodedSession,
  messageOf,
  millisecondsOf,
  type FileLook,
  type SessionRef,
} from '@app/shared/domain';
import { BlockedEntries } from './blocked-entries.js';
import { LeaseLost, mustLead, type ScannerParts } from './parts.js';
import { within } from './scan-loop.js';
import { folderNames, walkSession, type SessionFolder } from './walk.js';

/** How often the room of the volume is looked at; milliseconds. */
const ROOM_MS = 5_000;
/** All kept files are looked at this often at the most: a twentieth of the time that they are kept, within this. Milliseconds. */
const WALK_MS = { least: 1_000, most: 900_000 } as const;
/** Of the files that may stay, so many of the oldest are known when room is short. */
const OLDEST = 1_000;
/** Looked at in one call. */
const AT_ONCE = 200;

/** A kept file. */
interface Kept {
  readonly path: string;
  readonly look: FileLook;
}

/**
 * Removes kept sources (APP_KEEP_DONE_S) once they were kept for their time, by the volume's own clock and from their change
 * time, which the rename into `<done>` set; and the oldest earlier, where the volume has less room than APP_KEEP_DONE_FREE.
 * Only what stands in a session's folder is ever removed. Safe to repeat, whenever it ended.
 */
export class KeptFiles {
  private readonly stopping = new AbortController();
  private running: Promise<void> | null = null;
  /** When the oldest of them may be due, by this process' steady clock. */
  private walkAt = 0;

  /** @param mayAct whether this scanner leads and its volume is proved */
  constructor(
    private readonly parts: ScannerParts,
    private readonly root: string,
    private readonly keep: { readonly ms: number; readonly freeBytes: number },
    private readonly mayAct: () => boolean,
  ) {}

  /** Begins. */
  start(): void {
    this.running = this.run();
  }

  /** Ends. Never waits long. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await within(500, this.running);
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    const everyMs = Math.min(ROOM_MS, this.walkEveryMs());
    while (!signal.aborted) {
      try {
        if (this.mayAct()) await this.pass();
      } catch (error) {
        if (!(error instanceof LeaseLost)) this.parts.log.warn(`kept files wait: ${messageOf(error)}`);
      }
      await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    }
  }

  private walkEveryMs(): number {
    return Math.min(WALK_MS.most, Math.max(WALK_MS.least, this.keep.ms / 20));
  }

  /** Looks at the room, and at the files where it is short or one may be due. @throws VolumeError, LeaseLost */
  private async pass(): Promise<void> {
    const { parts, root, keep } = this;
    const { bytesFree } = await parts.volume.space(root);
    let short = keep.freeBytes - bytesFree;
    if (short <= 0 && performance.now() < this.walkAt) return;
    const found = new Oldest();
    let removed = await this.walk(found);
    for (const kept of short > 0 ? found.sorted() : []) {
      if (short <= 0) break;
      if (await this.remove(kept)) removed += 1;
      short -= kept.look.size;
    }
    const { volumeMs } = parts.clock.now();
    const oldest = found.sorted()[0];
    const ageMs = oldest && volumeMs !== null ? volumeMs - millisecondsOf(oldest.look.ctimeNs) : 0;
    this.walkAt = performance.now() + Math.max(this.walkEveryMs(), oldest ? keep.ms - ageMs : 0);
    if (removed > 0) parts.log.info(`removed ${removed} kept files`);
  }

  /** Removes what is due, and empty folders. @returns how many files went */
  private async walk(found: Oldest): Promise<number> {
    const { parts, root } = this;
    const blocked = new BlockedEntries(parts.volume, parts.layout.roots);
    let removed = 0;
    for (const date of (await folderNames(parts.volume, root)).filter(isDatePrefix).sort()) {
      const day = `${root}/${date}`;
      for (const encodedSession of (await folderNames(parts.volume, day)).filter(isEncodedSession).sort()) {
        const session: SessionRef = { datePrefix: date, encodedSession };
        const folders: SessionFolder[] = [];
        await walkSession(parts.volume, session, `${day}/${encodedSession}`, blocked, () => false, folders);
        // those below come after theirs
        for (const folder of folders.reverse()) removed += await this.clear(folder, found, blocked);
      }
      await this.removeEmpty(day);
    }
    return removed;
  }

  private async clear(
    { path, files, others, below }: SessionFolder,
    found: Oldest,
    blocked: BlockedEntries,
  ): Promise<number> {
    const { parts, keep } = this;
    const names = [...files.map((name) => (below === '' ? name : name.slice(below.length + 1))), ...others];
    let removed = 0;
    for (let at = 0; at < names.length; at += AT_ONCE) {
      const some = names.slice(at, at + AT_ONCE);
      const looks = await parts.volume.lstatMany(path, some);
      const { volumeMs } = parts.clock.now();
      for (const [i, look] of looks.entries()) {
        // without the volume's clock nobody knows how old it is
        if (look === null || look instanceof Error || look.kind !== 'file') continue;
        const kept = { path: `${path}/${some[i]}`, look };
        if (volumeMs === null || volumeMs - millisecondsOf(look.ctimeNs) < keep.ms) found.add(kept);
        else if (await blocked.attempt(kept.path, this.remove(kept), false)) removed += 1;
      }
    }
    await this.removeEmpty(path);
    return removed;
  }

  /** Removes a file that is still the one that was looked at. */
  private async remove({ path, look }: Kept): Promise<boolean> {
    const now = await this.parts.volume.lookAnew(path);
    if (now?.ino !== look.ino || now.ctimeNs !== look.ctimeNs) return false;
    mustLead(this.parts);
    return this.parts.volume.unlink(path);
  }

  /** An uploader that is about to keep a file there makes the folder anew. */
  private async removeEmpty(path: string): Promise<void> {
    mustLead(this.parts);
    await this.parts.volume.removeEmptyFolder(path);
  }
}

/** The oldest of many files, by their change time; holds twice {@link OLDEST} at the most. */
class Oldest {
  private files: Kept[] = [];

  add(file: Kept): void {
    this.files.push(file);
    if (this.files.length >= 2 * OLDEST) this.files = this.sorted().slice(0, OLDEST);
  }

  /** Oldest first. */
  sorted(): Kept[] {
    return [...this.files].sort((a, b) => (a.look.ctimeNs < b.look.ctimeNs ? -1 : 1));
  }
}
