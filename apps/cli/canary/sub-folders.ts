import { lstat, mkdir, rename, rmdir, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Row } from './checks.js';
import { CanaryFailure, type Meeting } from './meeting.js';

/** Times may be kept in steps of two seconds; milliseconds. */
const STEP_MS = 2_500;

/**
 * What `APP_SCAN_DEPTH` relies on: a sub-folder is made, a file renamed into it and out again, and it can be removed once it is
 * empty and not before. Whether its times show that an entry came decides how a scan reads it; both will do.
 */
export async function trySubFolder(meeting: Meeting): Promise<Row[]> {
  const folder = join(meeting.folder, `sub.${meeting.me}`, 'folder');
  const [outside, inside] = [join(meeting.folder, `moved.${meeting.me}`), join(folder, 'moved')];
  await mkdir(folder, { recursive: true });
  const shows = await showsEntries(folder);
  await writeFile(outside, 'moved');
  await rename(outside, inside);
  const removed = await rmdir(folder).then(
    () => true,
    () => false,
  );
  if (removed) throw new CanaryFailure('a folder that holds a file can be removed: files would be lost');
  await rename(inside, outside);
  await unlink(outside);
  await rmdir(folder);
  await rmdir(dirname(folder));
  const how = shows ? 'its times show what comes' : 'its times do not show what comes: listed in every scan';
  return [{ check: 'sub-folders', result: `made, renamed into, removed; ${how}` }];
}

async function showsEntries(folder: string): Promise<boolean> {
  const look = async () => {
    const { mtimeNs, ctimeNs } = await lstat(folder, { bigint: true });
    return `${mtimeNs} ${ctimeNs}`;
  };
  const before = await look();
  const entry = join(folder, 'entry');
  for (const end = performance.now() + STEP_MS; performance.now() < end; await pause(100)) {
    await writeFile(entry, '');
    const after = await look();
    await unlink(entry);
    if (after !== before) return true;
  }
  return false;
}
