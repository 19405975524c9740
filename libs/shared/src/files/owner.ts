import { randomBytes } from 'node:crypto';
import {
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../domain/errors.js';

/** How often an owner shows that it lives; milliseconds. */
export const OWNER_TOUCH_MS = 10_000;
/** A left-over whose owner cannot be asked is dead after so long; milliseconds. */
const SILENT_MS = 60_000;
const MARKER = '.owner-';
/** What staging makes, and so all that a sweep may ever touch: the root may hold other things by mistake. */
const MARKER_NAME = /^\.owner-([0-9a-f]{12})$/;
const STAGED_NAME = /^([0-9a-f]{12})-\d+\.staged$/;
/** Where there is no /proc to tell the place of a process. */
const UNKNOWN = 'unknown';
const DAY_NAME = /^\d{8}$/;

interface Marker {
  readonly pid: number;
  readonly startTicks: string;
  readonly place: string;
}

/**
 * Who owns the files in a staging folder: each process writes a marker and begins its files' names with its id, so
 * that left-overs of a dead process can be told from the files of a living one.
 */
export class StagingOwner {
  /** 12 hex digits, new at each start. */
  readonly id = randomBytes(6).toString('hex');

  constructor(private readonly root: string) {}

  /** Writes the marker. */
  mark(): void {
    const marker: Marker = { pid: process.pid, startTicks: startTicks(process.pid) ?? '', place: place() };
    writeFileSync(join(this.root, MARKER + this.id), JSON.stringify(marker));
  }

  /** Shows that this process lives, also to those that cannot see it. */
  touch(): void {
    const now = new Date();
    try {
      utimesSync(join(this.root, MARKER + this.id), now, now);
    } catch (error) {
      // another process took this one, frozen for long, for dead
      if (codeOf(error) !== 'ENOENT') throw error;
      this.mark();
    }
  }

  /** Takes the marker away at an orderly end. */
  unmark(): void {
    rmSync(join(this.root, MARKER + this.id), { force: true });
  }

  /**
   * Removes the staged files of dead processes, and the folders that are empty then. Whatever else lies below the
   * root is left alone. Local disk only, and few entries: synchronous.
   *
   * @param now milliseconds since 1970
   * @returns how many files went
   */
  sweep(now: number): number {
    const owners = new Map<string, boolean>();
    for (const name of namesIn(this.root)) {
      const id = MARKER_NAME.exec(name)?.[1];
      if (id) owners.set(id, id === this.id || alive(join(this.root, name), now));
    }
    let removed = 0;
    for (const day of namesIn(this.root).filter((name) => DAY_NAME.test(name))) {
      for (const session of namesIn(join(this.root, day))) {
        const folder = join(this.root, day, session);
        for (const name of namesIn(folder)) {
          const id = STAGED_NAME.exec(name)?.[1];
          if (!id || (owners.get(id) ?? now - mtime(join(folder, name)) <= SILENT_MS)) continue;
          rmSync(join(folder, name), { force: true });
          removed += 1;
        }
        removeIfEmpty(folder);
      }
      removeIfEmpty(join(this.root, day));
    }
    for (const [id, lives] of owners) if (!lives) rmSync(join(this.root, MARKER + id), { force: true });
    return removed;
  }
}

/** The names in a folder; none where it is no folder or is gone. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '')) return [];
    throw error;
  }
}

function alive(markerPath: string, now: number): boolean {
  let marker: Marker;
  try {
    marker = JSON.parse(readFileSync(markerPath, 'utf8')) as Marker;
  } catch {
    return now - mtime(markerPath) <= SILENT_MS;
  }
  // in the same process namespace of the same boot /proc knows; elsewhere only silence tells
  if (marker.place !== UNKNOWN && marker.place === place())
    return startTicks(marker.pid) === marker.startTicks;
  return now - mtime(markerPath) <= SILENT_MS;
}

/** Modification time, milliseconds since 1970; 0 where the file is gone. */
function mtime(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** When a process began, field 22 of proc_pid_stat(5); null where there is none. */
function startTicks(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

/** Boot and process namespace: where a pid means the same. */
function place(): string {
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return UNKNOWN;
  }
}

function removeIfEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // in use, or gone
  }
}
