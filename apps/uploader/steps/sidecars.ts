import {
  differences,
  readSidecar,
  SIDECAR_MAX_BYTES,
  sidecarNames,
  VolumeError,
  type DigestAlgorithm,
  type SidecarName,
} from '@app/shared/domain';
import type { StagedFile } from '@app/shared/files';
import { requireOwnershipUnlessNew, type Run, type Tools } from '../run.js';
import { makeFolderFor } from './claim.js';
import type { Found } from './locate.js';
import { changed, type Unsettled } from './settle.js';

/** A producer's checksum that stands in the session's folder, and says something of the file. */
export interface Sidecar extends SidecarName {
  /** Hex, lower case. */
  readonly digest: string;
}

/** A checksum is there, or must be, that says nothing of its file. */
export class ChecksumUnreadable extends Error {
  override readonly name = 'ChecksumUnreadable';
}

/** The file is not the one that its producer took the checksum of; names both digests. */
export class ChecksumMismatch extends Error {
  override readonly name = 'ChecksumMismatch';
}

type OneFile = Pick<Run, 'session' | 'filename' | 'payload'>;

/**
 * Brings a file's sidecars into the session's folder, before the file itself: so a checksum that comes later is never taken
 * for that of the file before. Safe to repeat.
 *
 * @returns those that are there; null where one must be and the file is not claimed yet, so the scanner waits for it
 * @throws VolumeError, ChecksumUnreadable, Interrupted
 */
export async function claimSidecars(
  run: Run,
  found: Found,
  tools: Tools,
): Promise<readonly SidecarName[] | null> {
  const mode = tools.rules.sidecars;
  if (mode === 'off' || found.place === 'nowhere') return [];
  const isFirst = run.first && found.place === 'incoming';
  const names = sidecarNames(run.filename).filter(
    ({ algorithm }) => !isFirst || run.payload.sidecars.includes(algorithm),
  );
  const claimed: SidecarName[] = [];
  for (const sidecar of names)
    if (await bring(run, found.place, isFirst, sidecar.name, tools)) claimed.push(sidecar);
  if (claimed.length > 0 || mode !== 'required') return claimed;
  if (found.place === 'incoming') return null;
  throw new ChecksumUnreadable(
    `no checksum of it is there, and APP_SIDECAR_CHECKSUMS is required; put ${run.filename}.sha256 beside it`,
  );
}

/** @returns whether the sidecar stands in the session's folder now */
async function bring(
  run: Run,
  place: Found['place'],
  isFirst: boolean,
  name: string,
  tools: Tools,
): Promise<boolean> {
  const { layout, volume } = tools;
  const target = layout.processing(run.session, name);
  const dropped = layout.incoming(name);
  await requireOwnershipUnlessNew(run);
  if (isFirst) return (await move(dropped, target, run, name, tools, true)) || isPlain(target, tools);
  if (place === 'failed') {
    // mended by its producer since; where a file of the name came with it, it is that one's
    const isMended = !(await volume.lstat(layout.incoming(run.filename))) && (await isPlain(dropped, tools));
    const failed = layout.failed(run.session, name);
    if (isMended && (await move(dropped, target, run, name, tools, true))) await volume.unlink(failed);
    else await move(failed, target, run, name, tools, false);
  } else if (place === 'incoming') await move(dropped, target, run, name, tools, false);
  return isPlain(target, tools);
}

/** @param replace whether what stands at the target is of an earlier file, or was mended */
async function move(
  from: string,
  to: string,
  run: OneFile,
  name: string,
  tools: Tools,
  replace: boolean,
): Promise<boolean> {
  const { layout, volume } = tools;
  for (let tries = 0; tries < 3; tries++) {
    const renamed = await volume.renameToFree(from, to);
    if (renamed === 'renamed') return true;
    if (renamed === 'taken' && replace) await volume.unlink(to);
    else if (renamed !== 'missing' || !(await volume.lstat(from))) return false;
    else await makeFolderFor(layout.processingFolder(run.session, name), tools);
  }
  return false;
}

async function isPlain(path: string, { volume }: Tools): Promise<boolean> {
  return (await volume.lstat(path))?.kind === 'file';
}

/** Reads what the claimed sidecars say. @throws VolumeError where the volume fails; ChecksumUnreadable */
export async function readSidecars(
  run: OneFile,
  names: readonly SidecarName[],
  { layout, volume }: Tools,
): Promise<Sidecar[]> {
  return Promise.all(
    names.map(async (sidecar) => {
      const path = layout.processing(run.session, sidecar.name);
      const text = await volume.readText(path, SIDECAR_MAX_BYTES).catch((error: unknown) => {
        if (!(error instanceof VolumeError) || error.disposition === 'outage') throw error;
        const why =
          error.code === 'EFBIG'
            ? `is larger than ${SIDECAR_MAX_BYTES} bytes`
            : `cannot be read: ${error.code}`;
        throw new ChecksumUnreadable(`its checksum ${sidecar.name} ${why}`);
      });
      const read = text === null ? { fault: 'is gone' } : readSidecar(text, run.filename, sidecar.algorithm);
      if ('fault' in read) throw new ChecksumUnreadable(`its checksum ${sidecar.name} ${read.fault}`);
      return { ...sidecar, digest: read.digest };
    }),
  );
}

/**
 * Compares the digests of what was staged with what the producer said.
 *
 * @returns null where they agree; what to wait for where the file or a sidecar has changed since it was read
 * @throws ChecksumMismatch; VolumeError, ChecksumUnreadable
 */
export async function compareDigests(
  run: Run,
  staged: StagedFile,
  sidecars: readonly Sidecar[],
  tools: Tools,
): Promise<Unsettled | null> {
  const differing = sidecars.find(({ algorithm, digest }) => digestOf(staged, algorithm) !== digest);
  if (!differing) return null;
  const look = await tools.volume.lookAnew(tools.layout.processing(run.session, run.filename));
  if (look) {
    const changes = differences(staged.look, look);
    if (changes.length > 0) return changed(look, changes, 'it changed while it was read', tools);
    const [now] = await readSidecars(run, [differing], tools);
    if (now?.digest !== differing.digest) return changed(look, [], 'its checksum changed', tools);
  }
  const { algorithm, digest, name } = differing;
  throw new ChecksumMismatch(
    `${name} says ${digest}, and the file has ${digestOf(staged, algorithm) ?? 'none'}`,
  );
}

function digestOf(staged: StagedFile, algorithm: DigestAlgorithm): string | null {
  return staged[algorithm]?.toString('hex') ?? null;
}

/** Removes the sidecars of a file that is stored and gone; one that may not be removed is left to recovery. @throws VolumeError where the volume fails */
export async function removeSidecars(run: Run, tools: Tools): Promise<void> {
  if (tools.rules.sidecars === 'off') return;
  // a run that slept must not remove those of a newer file of this name
  await requireOwnershipUnlessNew(run);
  for (const { name } of sidecarNames(run.filename))
    await tools.volume.unlink(tools.layout.processing(run.session, name)).catch((error: unknown) => {
      if (!(error instanceof VolumeError) || error.disposition === 'outage') throw error;
    });
}

/** Puts the sidecars of a file that is not this run's any more back into the drop folder, never over another. @throws VolumeError */
export async function releaseSidecars(run: Run, { layout, volume, rules }: Tools): Promise<void> {
  if (rules.sidecars === 'off') return;
  await requireOwnershipUnlessNew(run);
  for (const { name } of sidecarNames(run.filename))
    await volume.renameToFree(layout.processing(run.session, name), layout.incoming(name));
}

/** Brings the sidecars of a quarantined file beside it; an older one there is replaced. Safe to repeat. @throws VolumeError */
export async function quarantineSidecars(run: OneFile, tools: Tools): Promise<void> {
  const { layout, volume, rules } = tools;
  if (rules.sidecars === 'off') return;
  for (const { algorithm, name } of sidecarNames(run.filename)) {
    const target = layout.failed(run.session, name);
    if (await move(layout.processing(run.session, name), target, run, name, tools, true)) continue;
    // one that was quarantined before its claim; where a file of the name is there, it is that one's
    if (run.payload.sidecars.includes(algorithm) && !(await volume.lstat(layout.incoming(run.filename))))
      await volume.renameToFree(layout.incoming(name), target);
  }
}
