import {
  blobName,
  isRemovingNameOf,
  jobId,
  removedFileName,
  reasonFileName,
  sessionKey,
  type SessionRef,
} from '@app/shared/domain';
import { inHand } from '@app/shared/pods';
import {
  readPayload,
  readReason,
  uploadJob,
  type QuarantineReason,
  type UploadPayload,
} from '@app/shared/queue';
import { LeaseLost, type ScannerParts } from './parts.js';
import { walkSessions, type SessionFolder } from './walk.js';

/** Failed jobs looked at per pass. */
const FAILED_PAGE = 1_000;

/** What recovery remembers from one pass to the next. */
export interface RecoveryMemory {
  /** Paths of left-overs of removals seen in the last pass: they are put back when seen twice. */
  leftOvers: Set<string>;
  /** Where the next page of failed jobs begins. */
  failedAt: number;
}

/** What a pass found. */
export interface Recovered {
  /** Names that stand in a session's folder: a new file of such a name is held. */
  readonly processing: ReadonlySet<string>;
  /** Names that stand in quarantine. */
  readonly failed: ReadonlySet<string>;
}

/**
 * Reconciles the volume with the queue: every claimed file has a job, every quarantined file stands as failed, and no
 * job stands for nothing. A claim that a living pod has in hand is left to it. Safe to repeat at any time.
 *
 * @throws VolumeError; LeaseLost
 */
export async function recover(parts: ScannerParts, memory: RecoveryMemory): Promise<Recovered> {
  const hands = inHand(await parts.pods.alive());
  const processing = await walkSessions(parts.volume, parts.layout.roots.processing);
  const failed = await walkSessions(parts.volume, parts.layout.roots.failed);
  await putLeftOversBack(parts, processing, memory, hands);
  const claimedNames = new Set(processing.flatMap((folder) => folder.files));
  const failedNames = new Set(failed.flatMap((folder) => folder.files));
  await requeueClaimed(parts, processing, hands);
  await showQuarantined(parts, failed, claimedNames);
  await dropEmptyJobs(parts, memory, claimedNames, failedNames, hands);
  await removeOrphanReasons(parts, failed);
  await removeEmptyFolders(parts, [...processing, ...failed]);
  return { processing: claimedNames, failed: failedNames };
}

/** A run that died between its removal's rename and unlink left a dot name: the file goes back under its own. */
async function putLeftOversBack(
  parts: ScannerParts,
  folders: SessionFolder[],
  memory: RecoveryMemory,
  hands: ReadonlySet<string>,
): Promise<void> {
  const seen = new Set<string>();
  for (const folder of folders) {
    for (const entry of folder.leftOvers) {
      const path = `${folder.path}/${entry}`;
      const token = entry.slice('.sluice-removing-'.length, '.sluice-removing-'.length + 8);
      const sidecar = `${folder.path}/.sluice-name-${token}`;
      const cut = folder.others.includes(`.sluice-name-${token}`)
        ? await parts.volume.readText(sidecar)
        : null;
      const name = cut ?? removedFileName(entry);
      if (
        typeof name !== 'string' ||
        !isRemovingNameOf(entry, name) ||
        hands.has(blobName(folder.session, name))
      )
        continue;
      seen.add(path);
      if (!memory.leftOvers.has(path)) continue;
      const home = `${folder.path}/${name}`;
      if (await parts.volume.lstat(home)) continue;
      if ((await parts.volume.rename(path, home)) !== 'renamed') continue;
      if (cut !== null) await parts.volume.unlink(sidecar);
      folder.files.push(name);
      parts.log.info(
        { file: name, session: folder.session.encodedSession, date: folder.session.datePrefix },
        'recovery put back a file whose removal had not ended',
      );
    }
  }
  memory.leftOvers = seen;
}

interface Claimed {
  readonly session: SessionRef;
  readonly filename: string;
}

async function requeueClaimed(
  parts: ScannerParts,
  folders: SessionFolder[],
  hands: ReadonlySet<string>,
): Promise<void> {
  // only one job of a name can exist: the older session goes first, the other waits for a later pass
  const first = new Map<string, Claimed>();
  for (const { session, files } of folders)
    for (const filename of files) if (!first.has(filename)) first.set(filename, { session, filename });
  const claimed = [...first.values()].filter(
    ({ session, filename }) => !hands.has(blobName(session, filename)),
  );
  const states = await parts.states(claimed.map(({ filename }) => jobId(filename)));
  const ended = claimed.filter((_, i) => states[i] === 'completed' || states[i] === 'failed');
  const without = claimed.filter(
    (_, i) => states[i] === 'missing' || states[i] === 'completed' || states[i] === 'failed',
  );
  if (without.length === 0) return;
  // what has vanished since the listing was claimed by nobody
  const looks = await Promise.all(
    without.map(({ session, filename }) => parts.volume.lstat(parts.layout.processing(session, filename))),
  );
  const found = without.flatMap((file, i) => (looks[i] ? [{ ...file, size: looks[i].size }] : []));
  for (const { filename } of ended) await parts.queue.remove(jobId(filename));
  if (found.length === 0) return;
  if (!(await parts.moves.queued(found, parts.pod, 'found by recovery, waits for an uploader')))
    throw new LeaseLost();
  await addJobs(
    parts,
    found.map(({ session, filename }) => payloadOf(session, filename)),
  );
  parts.log.info(
    { files: found.length, first: found[0]?.filename },
    `recovery found ${found.length} claimed files`,
  );
}

async function showQuarantined(
  parts: ScannerParts,
  folders: SessionFolder[],
  claimed: ReadonlySet<string>,
): Promise<void> {
  const first = new Map<string, Claimed>();
  for (const { session, files } of folders)
    for (const filename of files)
      if (!first.has(filename) && !claimed.has(filename)) first.set(filename, { session, filename });
  const files = [...first.values()];
  const states = await parts.states(files.map(({ filename }) => jobId(filename)));
  const jobs: UploadPayload[] = [];
  for (const [i, { session, filename }] of files.entries()) {
    if (states[i] !== 'missing' && states[i] !== 'completed') continue;
    const look = await parts.volume.lstat(parts.layout.failed(session, filename));
    if (!look) continue;
    if (states[i] === 'completed') await parts.queue.remove(jobId(filename));
    const reason = await reasonOf(parts, session, filename);
    const why = `failed after ${reason.attempts} attempts: ${reason.code}: ${reason.message}`;
    await parts.moves.quarantined(
      { session, filename, size: look.size },
      { why, attempts: reason.attempts, code: reason.code, count: false },
    );
    jobs.push({ ...payloadOf(session, filename), quarantined: reason });
  }
  if (jobs.length === 0) return;
  await addJobs(parts, jobs);
  parts.log.info({ files: jobs.length }, `recovery found ${jobs.length} quarantined files`);
}

async function reasonOf(
  parts: ScannerParts,
  session: SessionRef,
  filename: string,
): Promise<QuarantineReason> {
  const text = await parts.volume.readText(parts.layout.reason(session, filename)).catch(() => null);
  try {
    return readReason(text === null ? {} : JSON.parse(text)) ?? UNKNOWN;
  } catch {
    return UNKNOWN;
  }
}
const UNKNOWN: QuarantineReason = {
  code: 'Unknown',
  message: 'no reason is recorded',
  attempts: 0,
  first_attempt_at: null,
  last_attempt_at: null,
};

/** A failed job whose file was removed by hand frees the name. */
async function dropEmptyJobs(
  parts: ScannerParts,
  memory: RecoveryMemory,
  claimed: ReadonlySet<string>,
  failed: ReadonlySet<string>,
  hands: ReadonlySet<string>,
): Promise<void> {
  const page = await parts.queue.getFailed(memory.failedAt, memory.failedAt + FAILED_PAGE - 1);
  memory.failedAt = page.length < FAILED_PAGE ? 0 : memory.failedAt + FAILED_PAGE;
  for (const job of page) {
    const payload = readPayload(job.id, job.data);
    const name = typeof payload === 'string' ? null : payload.filename;
    if (name !== null && (claimed.has(name) || failed.has(name))) continue;
    if (typeof payload !== 'string') {
      const { session, filename } = payload;
      if (hands.has(blobName(session, filename))) continue;
      // quarantined since the folders were listed?
      if (
        (await parts.volume.lstat(parts.layout.failed(session, filename))) ||
        (await parts.volume.lstat(parts.layout.processing(session, filename)))
      )
        continue;
      await parts.moves.forget(session, filename);
    }
    await job.remove().catch(() => undefined);
  }
}

async function removeOrphanReasons(parts: ScannerParts, failed: SessionFolder[]): Promise<void> {
  for (const { path, files, others } of failed) {
    const wanted = new Set(files.map(reasonFileName));
    for (const entry of others) {
      if (!entry.endsWith('.error.json') || wanted.has(entry)) continue;
      // a reason is written before its file moves: only an old one has lost it
      const look = await parts.volume.lstat(`${path}/${entry}`);
      if (look && parts.now() - Number(look.mtimeNs / 1_000_000n) > 60_000)
        await parts.volume.unlink(`${path}/${entry}`);
    }
  }
}

/** Removes the empty folders of sessions that are finished, or that Redis knows nothing of and that are not active. */
async function removeEmptyFolders(parts: ScannerParts, folders: SessionFolder[]): Promise<void> {
  const empty = folders.filter(
    (folder) => folder.files.length + folder.leftOvers.length + folder.others.length === 0,
  );
  const known = new Map(
    (await parts.sessions.read(empty.map(({ session }) => sessionKey(session)))).map((record) => [
      sessionKey(record),
      record.state,
    ]),
  );
  for (const { path, session } of empty) {
    const state = known.get(sessionKey(session));
    if (state !== undefined && state !== 'finished') continue;
    if (await parts.volume.removeEmptyFolder(path))
      await parts.volume.removeEmptyFolder(path.slice(0, path.lastIndexOf('/')));
  }
}

function payloadOf(session: SessionRef, filename: string): UploadPayload {
  return { date_prefix: session.datePrefix, encoded_session: session.encodedSession, filename };
}

async function addJobs(parts: ScannerParts, payloads: UploadPayload[]): Promise<void> {
  for (let at = 0; at < payloads.length; at += 500)
    await parts.queue.addBulk(payloads.slice(at, at + 500).map(uploadJob));
}
