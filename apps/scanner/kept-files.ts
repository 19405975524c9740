import { setTimeout as sleep } from 'node:timers/promises';
import {
  isDatePrefix,
  isEncodedSession,
  messageOf,
  millisecondsOf,
  type SessionRef,
} from '@app/shared/domain';
import { BlockedEntries } from './blocked-entries.js';
import { Oldest, type Kept } from './oldest-kept.js';
import { LeaseLost, mustLead, type ScannerParts } from './parts.js';
import { within } from './scan-loop.js';
import { folderNames, walkSession, type SessionFolder } from './walk.js';

/** How often the room of the volume is looked at; milliseconds. */
const ROOM_MS = 5_000;
/** All kept files are looked at this often at the most: a twentieth of the time that they are kept, within this. Milliseconds. */
const WALK_MS = { least: 1_000, most: 900_000 } as const;
/** Of the files that may stay, so many of the oldest are known when room is short: some 25 MB. */
const OLDEST = 100_000;
/** Looked at in one call. */
const AT_ONCE = 200;
/** Removed at once. */
const REMOVED_AT_ONCE = 16;

/**
 * Removes kept sources (APP_KEEP_DONE_S) once they were kept for their time, by the volume's own clock and from their change
 * time, which the rename into `<done>` set; and the oldest earlier, where the volume has less room than APP_KEEP_DONE_FREE.
 * Only what stands in a session's folder is ever removed, and an entry that may not be touched waits alone. Safe to repeat,
 * whenever it ended.
 */
export class KeptFiles {
  private readonly stopping = new AbortController();
  private running: Promise<void> | null = null;
  /** When the oldest of them may be due, by this process' steady clock. */
  private walkAt = 0;
  /** What the last walk left, the oldest last: they go without another walk. */
  private known: Kept[] = [];
  private blockedProblems: readonly string[] = [];

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

  /** Sentences for `problems`. */
  problems(): readonly string[] {
    return this.mayAct() ? this.blockedProblems : [];
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    const everyMs = Math.min(ROOM_MS, this.walkEveryMs());
    while (!signal.aborted) {
      try {
        if (this.mayAct()) await this.pass();
        else this.walkAt = 0;
      } catch (error) {
        if (!(error instanceof LeaseLost)) this.parts.log.warn(`kept files wait: ${messageOf(error)}`);
      }
      await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    }
  }

  private walkEveryMs(): number {
    return Math.min(WALK_MS.most, Math.max(WALK_MS.least, this.keep.ms / 20));
  }

  /** Looks at the room, and at the files where one may be due, or room is short and none is known. @throws VolumeError, LeaseLost */
  private async pass(): Promise<void> {
    const { parts, root, keep } = this;
    const { bytesFree } = await parts.volume.space(root);
    const short = keep.freeBytes - bytesFree;
    const walks = performance.now() >= this.walkAt || (short > 0 && this.known.length === 0);
    const blocked = new BlockedEntries(parts.volume, parts.layout.roots);
    let removed = walks ? await this.walk(blocked) : 0;
    if (short > 0) removed += await this.makeRoom(short, blocked);
    if (walks || blocked.paths.length > 0) this.blockedProblems = blocked.problems();
    if (walks) this.walkAt = performance.now() + this.nextWalkMs(blocked);
    if (removed > 0) parts.log.info(`removed ${removed} kept files`);
  }

  private nextWalkMs(blocked: BlockedEntries): number {
    const { volumeMs } = this.parts.clock.now();
    const oldest = this.known.at(-1);
    // without the volume's clock nobody knows what is due
    if (oldest === undefined || volumeMs === null || blocked.paths.length > 0) return this.walkEveryMs();
    return Math.max(this.walkEveryMs(), this.keep.ms - (volumeMs - millisecondsOf(oldest.ctimeNs)));
  }

  /** Removes the oldest of those that are known. @returns how many files went */
  private async makeRoom(bytes: number, blocked: BlockedEntries): Promise<number> {
    let short = bytes;
    let removed = 0;
    while (short > 0 && this.known.length > 0) {
      const some: Kept[] = [];
      for (let sum = 0; sum < short && some.length < REMOVED_AT_ONCE;) {
        const kept = this.known.pop();
        if (!kept) break;
        some.push(kept);
        sum += kept.size;
      }
      const gone = await this.removeAll(some, blocked);
      for (const { size } of gone) short -= size;
      removed += gone.length;
    }
    return removed;
  }

  /** Removes what is due, and empty folders; knows the oldest of the others then. @returns how many files went */
  private async walk(blocked: BlockedEntries): Promise<number> {
    const { parts, root, keep } = this;
    // where no room is made, they only tell when the next one is due
    const found = new Oldest(keep.freeBytes > 0 ? OLDEST : 1);
    this.known = [];
    const namesIn = (path: string) => blocked.attempt(path, folderNames(parts.volume, path), []);
    let removed = 0;
    for (const date of (await namesIn(root)).filter(isDatePrefix).sort()) {
      const day = `${root}/${date}`;
      for (const encodedSession of (await namesIn(day)).filter(isEncodedSession).sort()) {
        const session: SessionRef = { datePrefix: date, encodedSession };
        const folders: SessionFolder[] = [];
        await walkSession(parts.volume, session, `${day}/${encodedSession}`, blocked, () => false, folders);
        // those below come after theirs
        for (const folder of folders.reverse()) removed += await this.clear(folder, found, blocked);
      }
      await this.removeEmpty(day, blocked);
    }
    this.known = found.sorted().reverse();
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
      const due: Kept[] = [];
      for (const [i, look] of looks.entries()) {
        if (look === null || look instanceof Error || look.kind !== 'file') continue;
        const { ino, ctimeNs, size } = look;
        const kept = { path: `${path}/${some[i]}`, ino, ctimeNs, size };
        if (volumeMs === null || volumeMs - millisecondsOf(ctimeNs) < keep.ms) found.add(kept);
        else due.push(kept);
      }
      for (let next = 0; next < due.length; next += REMOVED_AT_ONCE)
        removed += (await this.removeAll(due.slice(next, next + REMOVED_AT_ONCE), blocked)).length;
    }
    await this.removeEmpty(path, blocked);
    return removed;
  }

  /** Removes files that still are those that were looked at. @returns those that went */
  private async removeAll(files: readonly Kept[], blocked: BlockedEntries): Promise<Kept[]> {
    const gone = await Promise.all(files.map((kept) => blocked.attempt(kept.path, this.remove(kept), false)));
    return files.filter((_, i) => gone[i]);
  }

  private async remove({ path, ino, ctimeNs }: Kept): Promise<boolean> {
    const now = await this.parts.volume.lookAnew(path);
    if (now?.ino !== ino || now.ctimeNs !== ctimeNs) return false;
    mustLead(this.parts);
    return this.parts.volume.unlink(path);
  }

  /** An uploader that is about to keep a file there makes the folder anew. */
  private async removeEmpty(path: string, blocked: BlockedEntries): Promise<void> {
    mustLead(this.parts);
    await blocked.attempt(path, this.parts.volume.removeEmptyFolder(path), false);
  }
}
