import { mkdir, lstat, open, rename, statfs, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { formatBytes, messageOf } from '@app/shared/domain';
import { CanaryFailure, type Meeting } from './meeting.js';
import { fsyncMeasured, rate, readMeasured, writeMeasured, type Transfer } from './speed.js';

/** A line of the report. */
export interface Row {
  readonly check: string;
  readonly result: string;
}

/** Files that both pods reach for. */
const RACES = 400;
/** Between two reaches of one pod; milliseconds. Long enough that both are under way at once, clocks apart or not. */
const RACE_PACE_MS = 10;
/** Between two appends; milliseconds. */
const APPEND_MS = 500;
/** Least free inodes that a drop folder needs. */
const INODES = 1000;

/** What one pod writes the other reads, byte for byte; and how fast both go. */
export async function seeEachOther(meeting: Meeting, other: number, bytes: number): Promise<Row[]> {
  const written = await writeMeasured(join(meeting.folder, `data.${meeting.me}`), bytes);
  await meeting.say('data', written);
  const theirs = await meeting.hear<Transfer>(
    'data',
    other,
    `pod ${other} was seen, but not the file it wrote`,
  );
  const read = await readMeasured(join(meeting.folder, `data.${other}`));
  if (read.sha256 !== theirs.sha256)
    throw new CanaryFailure(
      `what pod ${other} wrote is read differently here: ${read.bytes} of ${theirs.bytes} bytes, or other ones`,
    );
  const syncMs = await fsyncMeasured(join(meeting.folder, `fsync.${meeting.me}`), 20);
  return [
    { check: 'written in one pod, read in the other', result: `${formatBytes(read.bytes)}, the same bytes` },
    { check: 'shared volume, write with fsync', result: rate(written) },
    { check: "shared volume, read of the other pod's file", result: rate(read) },
    { check: 'fsync of 4 KiB', result: `${syncMs.toFixed(1)} ms` },
  ];
}

/** Disk of this pod alone, to compare with. */
export async function measureLocal(folder: string, bytes: number): Promise<Row[]> {
  const path = join(folder, '.sluice-canary');
  const written = await writeMeasured(path, bytes);
  await unlink(path);
  return [{ check: 'local disk, write with fsync', result: rate(written) }];
}

/** Two claimers, one file: exactly one rename succeeds. They go from both ends and meet in the middle. */
export async function raceForFiles(meeting: Meeting, other: number): Promise<Row[]> {
  const [from, to] = [join(meeting.folder, 'race'), join(meeting.folder, `won.${meeting.me}`)];
  await mkdir(to, { recursive: true });
  if (meeting.me === 0) {
    await mkdir(from, { recursive: true });
    for (let i = 0; i < RACES; i++) await writeFile(join(from, String(i)), String(i));
  }
  await meeting.say('race-ready', true);
  await meeting.hear('race-ready', other, `pod ${other} did not come to the race for files`);

  const won: number[] = [];
  for (let step = 0; step < RACES; step++) {
    const i = meeting.me === 0 ? step : RACES - 1 - step;
    if (await claim(join(from, String(i)), join(to, String(i)))) won.push(i);
    await pause(RACE_PACE_MS);
  }
  await meeting.say('raced', won);
  const theirs = await meeting.hear<number[]>('raced', other, `pod ${other} did not end the race for files`);
  const both = won.filter((i) => theirs.includes(i));
  if (both.length > 0)
    throw new CanaryFailure(
      `rename does not exclude: ${both.length} of ${RACES} files were claimed by both pods`,
    );
  if (won.length + theirs.length < RACES)
    throw new CanaryFailure(
      `rename loses files: of ${RACES}, only ${won.length + theirs.length} were claimed by either pod`,
    );
  return [
    {
      check: 'rename excludes a second claimer',
      result: `${RACES} files: ${won.length} here, ${theirs.length} there, none twice`,
    },
  ];
}

async function claim(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      throw new CanaryFailure(`rename fails: ${messageOf(error)}`);
    // an answer lost on the way makes NFS repeat a rename that has happened
    return lstat(to).then(
      () => true,
      () => false,
    );
  }
}

/** A file that grows must be seen to grow within the age rule, whatever is cached. Pod 0 writes, pod 1 looks. */
export async function watchGrowth(meeting: Meeting, other: number, ageMs: number): Promise<Row[]> {
  const path = join(meeting.folder, 'growing');
  if (meeting.me === 0) {
    await growFile(meeting, other, path, 2 * ageMs + 2000);
    return [];
  }
  await meeting.hear('growing', other, `pod ${other} did not begin the growing file`);
  let [size, mtimeMs, changes, gapMs] = [-1, -1, 0, 0];
  let changedAt = performance.now();
  await meeting.say('watching', true);
  let grown: { size: number; gapMs: number } | null = null;
  while (!grown || size < grown.size) {
    const look = await lstat(path);
    const now = performance.now();
    if (look.size !== size || look.mtimeMs !== mtimeMs) {
      // the first change ends the wait for the writer, not a gap
      if (changes > 1) gapMs = Math.max(gapMs, now - changedAt);
      [size, mtimeMs, changedAt, changes] = [look.size, look.mtimeMs, now, changes + 1];
    } else if (grown && now - changedAt > 12 * ageMs)
      throw new CanaryFailure(
        `a file of ${grown.size} bytes is still seen with ${size}, ${Math.round((now - changedAt) / 1000)} s after it was written`,
      );
    grown ??= await meeting.heard('grown', other);
    await pause(100);
  }
  const lagMs = Math.max(0, gapMs - grown.gapMs);
  const rule = `the age rule is ${ageMs / 1000} s`;
  if (lagMs >= ageMs)
    throw new CanaryFailure(
      `a growing file looked at rest for ${(lagMs / 1000).toFixed(1)} s, and ${rule}: mount with a shorter attribute cache (actimeo), or raise APP_MIN_FILE_AGE_S`,
    );
  return [
    {
      check: 'growth of a file is seen',
      result: `${changes} changes, ${(lagMs / 1000).toFixed(1)} s late at most; ${rule}`,
    },
  ];
}

async function growFile(meeting: Meeting, other: number, path: string, forMs: number): Promise<void> {
  const file = await open(path, 'a');
  try {
    await meeting.say('growing', true);
    await meeting.hear('watching', other, `pod ${other} did not watch the growing file`);
    let [size, gapMs, last] = [0, 0, performance.now()];
    for (let at = 0; at < forMs; at += APPEND_MS) {
      await file.appendFile(Buffer.alloc(4096, 1));
      await file.sync();
      size += 4096;
      gapMs = Math.max(gapMs, performance.now() - last);
      last = performance.now();
      await pause(APPEND_MS);
    }
    await meeting.say('grown', { size, gapMs });
  } finally {
    await file.close();
  }
}

/** Room, and the clock that the volume stamps files with. */
export async function lookAtRoom(meeting: Meeting): Promise<Row[]> {
  const room = await statfs(meeting.folder);
  const free = room.bavail * room.bsize;
  if (free === 0) throw new CanaryFailure('the volume is full');
  // some servers (Azure Files over SMB) do not count inodes and say 0 of 0
  if (room.files > 0 && room.ffree < INODES)
    throw new CanaryFailure(`the volume has only ${room.ffree} inodes left`);
  const path = join(meeting.folder, `clock.${meeting.me}`);
  await writeFile(path, 'clock');
  const aheadS = ((await lstat(path)).mtimeMs - Date.now()) / 1000;
  return [
    { check: 'free space', result: `${formatBytes(free)} of ${formatBytes(room.blocks * room.bsize)}` },
    { check: 'free inodes', result: room.files > 0 ? `${room.ffree} of ${room.files}` : 'not told' },
    {
      check: "the volume's clock",
      result: `${Math.abs(aheadS).toFixed(1)} s ${aheadS > 0 ? 'ahead of' : 'behind'} this node's`,
    },
  ];
}
