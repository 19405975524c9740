import { blobName, fileOfSidecar, folderOf, jobId, sessionKey } from '@app/shared/domain';
import { inHand } from '@app/shared/pods';
import { BlockedEntries } from './blocked-entries.js';
import { dropJobsOfNothing, dropRecordsOfNothing, type EmptyHanded } from './empty-handed.js';
import { removeEmptyFolders } from './empty-folders.js';
import { addJobs, confirmed, firstOfEachName, payloadOf } from './found.js';
import { putLeftOversBack, sweep, type LeftOvers } from './left-overs.js';
import { foldersAbove } from './namesakes.js';
import { LeaseLost, mustLead, type ScannerParts } from './parts.js';
import { removeOrphanReasons, showQuarantined } from './quarantined.js';
import { bringSidecarsBack } from './sidecars-alone.js';
import type { Standing } from './scan-memory.js';
import { nameBelow, walkSessions, type SessionFolder } from './walk.js';

/** What recovery remembers from one pass to the next. */
export class RecoveryMemory {
  /** Paths of left-overs of removals seen in the last pass. */
  leftOvers: ReadonlySet<string> = new Set();
  /** Paths of folders below a session's folder that the last pass found empty. */
  emptyFolders: ReadonlySet<string> = new Set();
  /** What stood, for folders that may not be listed any more. */
  standing: ReadonlyMap<string, Standing> = new Map();
  /** Paths of reasons that may not be read; nothing else would ask for them again once their file has a job. */
  readonly unreadReasons = new Set<string>();
  readonly emptyHanded: EmptyHanded = { failedAt: 0, cursor: '0', suspects: new Set() };

  /** Forgets everything: another scanner led in between, or Redis lost its data. */
  clear(): void {
    this.leftOvers = new Set();
    this.emptyFolders = new Set();
    this.standing = new Map();
    this.unreadReasons.clear();
    this.emptyHanded.failedAt = 0;
    this.emptyHanded.cursor = '0';
    this.emptyHanded.suspects = new Set();
  }
}

/** What a pass found. */
export interface Recovered {
  /** Files that stand in a session's folder, by name: a new file of such a name is held. */
  readonly standing: Map<string, Standing>;
  /** Sentences for `problems`. */
  readonly problems: readonly string[];
}

/**
 * Reconciles the volume with the queue: every claimed file has a job, every quarantined file stands as failed, and no
 * job stands for nothing. A claim that a living pod has in hand is left to it, and an entry that may not be touched waits
 * alone. Safe to repeat at any time.
 *
 * @param ownNames Sluice's own short-lived names that a scan saw in the drop folder
 * @throws VolumeError; LeaseLost
 */
export async function recover(
  parts: ScannerParts,
  memory: RecoveryMemory,
  ownNames: readonly string[],
): Promise<Recovered> {
  const hands = inHand(await parts.pods.alive());
  const { roots } = parts.layout;
  const blocked = new BlockedEntries(parts.volume, roots);
  const isSidecar = (name: string) => parts.rules.sidecars !== 'off' && fileOfSidecar(name) !== null;
  const processing = await walkSessions(parts.volume, roots.processing, blocked, isSidecar);
  const failed = await walkSessions(parts.volume, roots.failed, blocked, isSidecar);
  const unlisted = blocked.paths;
  const leftOvers = await putLeftOversBack(parts, processing.folders, memory.leftOvers, hands, blocked);
  memory.leftOvers = leftOvers.seen;
  const standing = standingFiles(processing.folders, failed.folders, leftOvers);
  for (const [name, file] of memory.standing)
    if (
      !standing.has(name) &&
      unlisted.some((folder) => `${roots[file.place]}/${file.path}`.startsWith(`${folder}/`))
    )
      standing.set(name, file);
  memory.standing = standing;
  await requeueClaimed(parts, processing.folders, hands, blocked);
  await showQuarantined(parts, failed.folders, standing, hands, blocked, memory.unreadReasons);
  await dropJobsOfNothing(parts, memory.emptyHanded, standing, hands, blocked);
  await dropRecordsOfNothing(parts, memory.emptyHanded, standing, hands, blocked);
  await bringSidecarsBack(parts, processing.folders, hands, blocked);
  await removeOrphanReasons(parts, failed.folders, blocked);
  await sweep(parts, [processing, failed], ownNames, hands, blocked);
  const folders = [...processing.folders, ...failed.folders];
  memory.emptyFolders = await removeEmptyFolders(parts, folders, memory.emptyFolders, blocked);
  return { standing, problems: [...blocked.problems(), ...leftOvers.problems] };
}

function standingFiles(
  processing: readonly SessionFolder[],
  failed: readonly SessionFolder[],
  leftOvers: LeftOvers,
): Map<string, Standing> {
  const standing = new Map<string, Standing>();
  // where a name stands in both, what is claimed goes first
  for (const [place, folders] of [['failed', failed] as const, ['processing', processing] as const])
    for (const { session, files } of folders)
      for (const name of files) standing.set(name, { place, path: `${sessionKey(session)}/${name}` });
  // not through yet: a newer file of such a name would be overwritten once the left-over goes on
  for (const { name, session, entry } of leftOvers.standing)
    if (standing.get(name)?.place !== 'processing')
      standing.set(name, {
        place: 'processing',
        path: `${sessionKey(session)}/${nameBelow(folderOf(name), entry)}`,
      });
  return standing;
}

async function requeueClaimed(
  parts: ScannerParts,
  folders: readonly SessionFolder[],
  hands: ReadonlySet<string>,
  blocked: BlockedEntries,
): Promise<void> {
  const claimed = firstOfEachName(folders).filter(
    // a folder may have come between a claim and its look: an uploader that has its name in hand sets it aside whole
    ({ session, filename }) =>
      ![filename, ...foldersAbove(filename)].some((name) => hands.has(blobName(session, name))),
  );
  const states = await parts.states(claimed.map(({ filename }) => jobId(filename)));
  const without = claimed.flatMap((file, i) => {
    const state = states[i];
    if (state !== 'missing' && state !== 'completed' && state !== 'failed') return [];
    return [{ ...file, ended: state !== 'missing' }];
  });
  const found = await confirmed(
    parts,
    without,
    ({ session, filename }) => parts.layout.processing(session, filename),
    blocked,
  );
  if (found.length === 0) return;
  mustLead(parts);
  const files = found.map(({ session, filename, look }) => ({ session, filename, size: look.size }));
  if (!(await parts.moves.queued(files, parts.pod, 'found by recovery, waits for an uploader')))
    throw new LeaseLost();
  for (const { filename, ended } of found) if (ended) await parts.queue.remove(jobId(filename));
  await addJobs(parts, found.map(payloadOf));
  parts.log.info(
    { files: found.length, first: found[0]?.filename },
    `recovery found ${found.length} claimed file${found.length === 1 ? '' : 's'}`,
  );
}
