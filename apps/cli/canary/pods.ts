import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rm, rmdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '@app/shared/domain';
import { lookAtRoom, measureLocal, raceForFiles, seeEachOther, watchGrowth, type Row } from './checks.js';
import { CanaryFailure, Meeting } from './meeting.js';
import { describeMount, isOwn, mountOf } from './mount.js';
import { measureNames, renameKeepsFiles, tellNames } from './names.js';
import { trySubFolder } from './sub-folders.js';

/** What a pod of the canary is told. */
export interface PodOrders {
  /** The shared folder. */
  readonly folder: string;
  /** Names the run; all its pods say the same. */
  readonly run: string;
  /** 0 and 1 test the volume against each other; 2 comes after them and finds what they left. */
  readonly index: number;
  /** How long to wait for another pod; milliseconds. */
  readonly waitMs: number;
  /** The least age at which files are taken; milliseconds. */
  readonly ageMs: number;
  /** Bytes of the file that is written and read. */
  readonly bytes: number;
  /** A folder on this pod's own disk, to compare with. */
  readonly local: string | null;
}

/** What a pod found. */
export interface PodReport {
  readonly index: number;
  readonly name: string;
  readonly node: string;
  readonly volume: string;
  readonly rows: readonly Row[];
}

/** What pods 0 and 1 leave for pod 2. */
interface Kept {
  readonly sha256: string;
}

const CONTAINING = '.sluice-canary';

/**
 * Does a pod's part.
 *
 * @returns the reports to print: of this pod, and for pod 2 those of all
 * @throws CanaryFailure whose message is the reason why the volume is not fit
 */
export async function runPod(orders: PodOrders): Promise<PodReport[]> {
  const { folder, run, index, waitMs } = orders;
  const own = join(folder, CONTAINING, run);
  try {
    // step by step: a recursive mkdir never ends where the parent cannot be written (/proc)
    for (const path of [join(folder, CONTAINING), own]) await mkdirOnce(path);
  } catch (error) {
    throw new CanaryFailure(
      `the volume cannot be written by uid ${process.getuid?.() ?? '?'}: ${messageOf(error)}`,
    );
  }
  const mount = mountOf(own);
  const report = {
    index,
    name: hostname(),
    node: process.env.NODE_NAME || hostname(),
    volume: describeMount(mount),
  };
  const meeting = new Meeting(own, index, waitMs);
  try {
    if (isOwn(mount))
      throw new CanaryFailure(
        `this is a volume of one pod alone, a per-pod emptyDir or memory (${report.volume}); mount one ReadWriteMany volume in all pods`,
      );
    if (index === 2) return [...(await findKept(meeting, report.volume)), { ...report, rows: [KEPT_ROW] }];
    const rows = await testTogether(meeting, orders, report.volume);
    await meeting.say('result', { ...report, rows });
    return [{ ...report, rows }];
  } catch (error) {
    // the other pod need not wait for what does not come
    await meeting.say('failed', { reason: messageOf(error) }).catch(() => undefined);
    throw error;
  } finally {
    if (index === 2) {
      await rm(own, { recursive: true, force: true });
      await rmdir(join(folder, CONTAINING)).catch(() => undefined);
    }
  }
}

const KEPT_ROW: Row = { check: 'still there after the pods were replaced', result: 'what both had written' };

async function testTogether(meeting: Meeting, orders: PodOrders, volume: string): Promise<Row[]> {
  const other = 1 - orders.index;
  await meeting.say('here', true);
  await meeting.hear(
    'here',
    other,
    `pod ${other} was not seen on this volume within ${orders.waitMs / 1000} s: it has a volume of its own (a per-pod emptyDir, a disk of one node), or it never ran. This pod has ${volume}`,
  );
  const rows = [
    ...(await seeEachOther(meeting, other, orders.bytes)),
    ...(orders.local ? await measureLocal(orders.local, orders.bytes) : []),
    ...(await raceForFiles(meeting, other)),
    ...(await renameKeepsFiles(meeting)),
    ...(await tellNames(meeting)),
    ...(await measureNames(meeting)),
    ...(await trySubFolder(meeting)),
    ...(await watchGrowth(meeting, other, orders.ageMs)),
    ...(await lookAtRoom(meeting)),
  ];
  const bytes = randomBytes(65_536);
  const file = await open(join(meeting.folder, `kept.${meeting.me}`), 'w');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await meeting.say('kept', { sha256: createHash('sha256').update(bytes).digest('hex') });
  // nobody leaves before both have left their file
  await meeting.hear('kept', other, `pod ${other} did not come to the end`);
  return rows;
}

async function mkdirOnce(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

async function findKept(meeting: Meeting, volume: string): Promise<PodReport[]> {
  const reports: PodReport[] = [];
  for (const index of [0, 1]) {
    const gone = `what pod ${index} had written is gone: the volume does not outlive its pods, or this pod has a volume of its own (a per-pod emptyDir). This pod has ${volume}`;
    const kept = await meeting.hear<Kept>('kept', index, gone);
    const bytes = await readFile(join(meeting.folder, `kept.${index}`)).catch(() => null);
    if (!bytes || createHash('sha256').update(bytes).digest('hex') !== kept.sha256)
      throw new CanaryFailure(gone);
    reports.push(await meeting.hear<PodReport>('result', index, gone));
  }
  return reports;
}
