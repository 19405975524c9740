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

/** How often an owner shows that it lives; milliseconds. */
export const OWNER_TOUCH_MS = 10_000;
/** A left-over whose owner cannot be asked is dead after so long; milliseconds. */
const SILENT_MS = 60_000;
const MARKER = '.owner-';

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
    utimesSync(join(this.root, MARKER + this.id), now, now);
  }

  /** Takes the marker away at an orderly end. */
  unmark(): void {
    rmSync(join(this.root, MARKER + this.id), { force: true });
  }

  /**
   * Removes the files of dead processes and folders that are empty. Local disk only, and few entries: synchronous.
   *
   * @param now milliseconds since 1970
   * @returns how many files went
   */
  sweep(now: number): number {
    const entries = readdirSync(this.root, { recursive: true, withFileTypes: true });
    const owners = new Map(
      entries
        .filter((entry) => entry.name.startsWith(MARKER))
        .map((entry) => [entry.name.slice(MARKER.length), join(entry.parentPath, entry.name)]),
    );
    let removed = 0;
    for (const entry of entries) {
      const path = join(entry.parentPath, entry.name);
      if (!entry.isFile() || entry.name.startsWith(MARKER)) continue;
      const marker = owners.get(entry.name.slice(0, this.id.length));
      if (marker !== undefined ? !alive(marker, now) : now - mtime(path) > SILENT_MS) {
        rmSync(path, { force: true });
        removed += 1;
      }
    }
    for (const [id, marker] of owners)
      if (id !== this.id && !alive(marker, now)) rmSync(marker, { force: true });
    // deepest first
    for (const entry of entries.reverse())
      if (entry.isDirectory()) removeIfEmpty(join(entry.parentPath, entry.name));
    return removed;
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
  if (marker.place === place()) return startTicks(marker.pid) === marker.startTicks;
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
    return 'unknown';
  }
}

function removeIfEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // in use, or gone
  }
}
