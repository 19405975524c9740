import {
  differences,
  Interrupted,
  lastPart,
  millisecondsOf,
  removedFileName,
  removingName,
  shortRemovingName,
  sideNoteName,
  VolumeError,
} from '@app/shared/domain';
import type { SetAside } from '@app/shared/files';
import { requireOwnershipUnlessNew, type Run, type Tools } from '../run.js';
import { keepOrUnlink } from './keep.js';
import { changed, type Unsettled } from './settle.js';
import type { VerifiedBlob } from './verify.js';

/** Whether the source is gone, or had changed and went back. */
export type Removal = { readonly removed: true } | { readonly removed: false; readonly unsettled: Unsettled };

/**
 * Removes the source of a verified blob, last of all: looks whether it still is the file that was staged, also by its
 * change time, renames it to a dot name of its own, looks again, writes the receipt, unlinks, or keeps it for a while
 * (APP_KEEP_DONE_S). A file that changed goes back, never over an existing name.
 * A run that ends in between leaves the dot name, which recovery puts back; where the dot name does not hold the file's
 * whole name, a side note does, written before the rename and removed after the unlink. Safe to repeat.
 *
 * @throws VolumeError; SourceStands where the volume does not allow the removal
 */
export async function removeSource(run: Run, verified: VerifiedBlob, tools: Tools): Promise<Removal> {
  const { layout, volume } = tools;
  const folder = layout.processingFolder(run.session, run.filename);
  const source = layout.processing(run.session, run.filename);
  const { result, removing, note } = await setAside(run, verified, tools);
  const dropNote = async () => note !== null && (await volume.unlink(note));
  if (result.kind === 'missing') {
    await dropNote();
    throw new SourceVanished(`${run.filename} vanished from ${folder} before its removal`);
  }
  if (result.kind === 'changed') {
    if (!result.aside || (await putBack(removing, source, tools))) await dropNote();
    // the rename itself moves the change time
    const expected = result.aside ? { ...verified.source, ctimeNs: result.look.ctimeNs } : verified.source;
    const changes = differences(expected, result.look);
    const why = 'it changed while it was uploaded';
    return { removed: false, unsettled: changed(result.look, changes, why, tools) };
  }
  try {
    await writeReceipt(run, verified, tools);
  } catch (error) {
    if (await putBack(removing, source, tools)) await dropNote();
    throw error;
  }
  const gone = await keepOrUnlink(run, removing, verified.source, tools).catch(async (error: unknown) => {
    // a volume may allow the rename and refuse this; the next run finds the file where this one did
    if (isRefusal(error) && (await putBack(removing, source, tools))) await dropNote();
    return refusedAs(source)(error);
  });
  await dropNote();
  // a run that slept here had its source put back by another, whose receipt this one's would be ended with
  if (!gone) throw new SourceVanished(`${run.filename} was taken over between its receipt and its removal`);
  return { removed: true };
}

/** Where a source was set aside, and its side note where it has one. */
interface Aside {
  readonly result: SetAside;
  readonly removing: string;
  readonly note: string | null;
}

/** Renames the source to its dot name: the one that says what it was, or a short one on a volume that finds that too long. */
async function setAside(run: Run, verified: VerifiedBlob, tools: Tools): Promise<Aside> {
  const { layout, volume } = tools;
  const folder = layout.processingFolder(run.session, run.filename);
  const source = layout.processing(run.session, run.filename);
  // the run's id makes the names its own, so nothing can stand there
  const token = run.id.slice(0, 8);
  const last = lastPart(run.filename);
  const as = async (name: string): Promise<Aside> => {
    const removing = `${folder}/${name}`;
    const note = removedFileName(name) === last ? null : `${folder}/${sideNoteName(token)}`;
    if (note !== null) await volume.writeText(note, last);
    // a run that slept through its lock must not even lift a newer file of this name
    await requireOwnershipUnlessNew(run);
    const result = await volume.setAside(source, removing, verified.source).catch(refusedAs(source));
    return { result, removing, note };
  };
  try {
    return await as(removingName(run.filename, token));
  } catch (error) {
    if (!(error instanceof VolumeError && error.code === 'ENAMETOOLONG')) throw error;
    return as(shortRemovingName(run.filename, token));
  }
}

/** Somebody else took the source away between the proof and the removal; nothing of ours is left to do. */
export class SourceVanished extends Error {
  override readonly name = 'SourceVanished';
}

/** The file is in the store, and the volume does not let its source go. Names the source and what was refused. */
export class SourceStands extends Error {
  override readonly name = 'SourceStands';
}

function isRefusal(error: unknown): error is VolumeError {
  return error instanceof VolumeError && error.disposition === 'probe';
}

/** What to do with an error of the removal of a source. @throws SourceStands for a refusal, else the error itself */
function refusedAs(source: string): (error: unknown) => never {
  return (error) => {
    if (!isRefusal(error)) throw error;
    throw new SourceStands(
      `stored; the source ${source} cannot be removed (${error.operation}: ${error.code})`,
    );
  };
}

async function putBack(from: string, to: string, tools: Tools): Promise<boolean> {
  // where the name is taken, recovery brings the left-over back once it is free
  return (await tools.volume.renameToFree(from, to)) === 'renamed';
}

/** The receipt waits for Redis, but not longer than the run may go on. */
async function writeReceipt(run: Run, verified: VerifiedBlob, tools: Tools): Promise<void> {
  const facts = {
    blobUrl: verified.url,
    size: verified.source.size,
    md5: verified.md5,
    mtimeMs: millisecondsOf(verified.source.mtimeNs),
    attempts: run.payload.attempts + 1,
    pod: tools.pod,
    maxFiles: tools.rules.historyMaxFiles,
    record: run.record,
    etag: verified.etag,
    sha256: verified.sha256,
    tier: run.labels.tier,
  };
  const written = tools.moves.receipt(run.session, run.filename, verified.claim, facts, run.lock);
  const replicated = written.then(() => tools.replicated());
  replicated.catch(() => undefined);
  await new Promise<void>((resolve, reject) => {
    const abort = () => reject(new Interrupted('stopped before the receipt was written'));
    if (run.signal.aborted) return abort();
    run.signal.addEventListener('abort', abort, { once: true });
    replicated.then(() => resolve(), reject).finally(() => run.signal.removeEventListener('abort', abort));
  });
}
