import { sidecarNames, VolumeError } from '@app/shared/domain';
import { requireOwnershipUnlessNew, type Run, type Tools } from '../run.js';
import { isQuarantined, move, renameSidecar, withoutJobs, type OneFile } from './sidecar-places.js';
import { ChecksumUnreadable, readSidecars, type Sidecar } from './sidecars.js';

/**
 * Removes the sidecars of a file that is stored and gone; one that may not be removed is left to recovery.
 *
 * @param sidecars that were read and say something of the file: what nobody read is never removed
 * @throws VolumeError where the volume fails; Interrupted
 */
export async function removeSidecars(run: Run, sidecars: readonly Sidecar[], tools: Tools): Promise<void> {
  if (sidecars.length === 0) return;
  // a run that slept must not remove those of a newer file of this name
  await requireOwnershipUnlessNew(run);
  for (const { name } of await withoutJobs(sidecars, tools))
    await tools.volume.unlink(tools.layout.processing(run.session, name)).catch((error: unknown) => {
      if (!(error instanceof VolumeError) || error.disposition === 'outage') throw error;
    });
}

/** Removes what a run left that died once its file was stored and gone. @throws VolumeError where the volume fails; Interrupted */
export async function removeLeftSidecars(run: Run, tools: Tools): Promise<void> {
  for (const name of sidecarNames(run.filename)) {
    const left = await readSidecars(run, [name], tools).catch((error: unknown) => {
      if (error instanceof ChecksumUnreadable) return [];
      throw error;
    });
    await removeSidecars(run, left, tools);
  }
}

/** Puts the sidecars of a file that is not this run's any more back into the drop folder, never over another. @throws VolumeError */
export async function releaseSidecars(run: Run, tools: Tools): Promise<void> {
  const { layout, rules } = tools;
  if (rules.sidecars === 'off') return;
  await requireOwnershipUnlessNew(run);
  for (const { name } of await withoutJobs(sidecarNames(run.filename), tools))
    await renameSidecar(layout.processing(run.session, name), layout.incoming(name), tools);
}

/**
 * Brings the sidecars of a quarantined file beside it, where an older one is replaced; where a file of its own is
 * quarantined there, back to the drop folder. Safe to repeat.
 *
 * @throws VolumeError
 */
export async function quarantineSidecars(run: OneFile, tools: Tools): Promise<void> {
  const { layout, volume, rules } = tools;
  if (rules.sidecars === 'off') return;
  for (const { algorithm, name } of await withoutJobs(sidecarNames(run.filename), tools)) {
    const claimed = layout.processing(run.session, name);
    if (await isQuarantined(run, name, tools)) {
      await renameSidecar(claimed, layout.incoming(name), tools);
      continue;
    }
    const target = layout.failed(run.session, name);
    if (await move(claimed, target, run, name, tools, true)) continue;
    // one that was quarantined before its claim; where a file of the name is there, it is that one's
    if (run.payload.sidecars.includes(algorithm) && !(await volume.lstat(layout.incoming(run.filename))))
      await renameSidecar(layout.incoming(name), target, tools);
  }
}
