import {
  differences,
  readSidecar,
  SIDECAR_MAX_BYTES,
  sidecarNames,
  unlessTooLong,
  VolumeError,
  type DigestAlgorithm,
  type SidecarName,
} from '@app/shared/domain';
import type { StagedFile } from '@app/shared/files';
import { requireOwnershipUnlessNew, type Run, type Tools } from '../run.js';
import type { Found } from './locate.js';
import { changed, type Unsettled } from './settle.js';
import { hasRoom, isPlain, isQuarantined, move, withoutJobs, type OneFile } from './sidecar-places.js';

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

/**
 * Brings a file's sidecars into the session's folder, before the file itself: so a checksum that comes later is never taken
 * for that of the file before. Safe to repeat.
 *
 * @returns those that are there; null where one must be and the file is not claimed yet, so the scanner waits for it
 * @throws VolumeError, Interrupted; ChecksumUnreadable, also where one must be and no name is left for it
 */
export async function claimSidecars(
  run: Run,
  found: Found,
  tools: Tools,
): Promise<readonly SidecarName[] | null> {
  const mode = tools.rules.sidecars;
  if (mode === 'off' || found.place === 'nowhere') return [];
  const isFirst = run.first && found.place === 'incoming';
  const wanted = sidecarNames(run.filename).filter(
    ({ algorithm }) => !isFirst || run.payload.sidecars.includes(algorithm),
  );
  const names = await withoutJobs(wanted, tools);
  const claimed: SidecarName[] = [];
  for (const sidecar of names)
    if (await bring(run, found.place, isFirst, sidecar.name, tools)) claimed.push(sidecar);
  if (claimed.length > 0 || mode !== 'required') return claimed;
  if (!(await hasRoom(run.filename, tools)))
    throw new ChecksumUnreadable(
      'APP_SIDECAR_CHECKSUMS is required, and its name is so long that the volume takes none for its checksum; drop it under a shorter one, and remove this one',
    );
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
    const isOther = await isQuarantined(run, name, tools);
    const isMoved = isMended && (await move(dropped, target, run, name, tools, true));
    if (isMoved && !isOther)
      await volume.unlink(failed).catch((error: unknown) => unlessTooLong(error, false));
    else if (!isMoved && !isOther) await move(failed, target, run, name, tools, false);
  } else if (place === 'incoming') await move(dropped, target, run, name, tools, false);
  return isPlain(target, tools);
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
