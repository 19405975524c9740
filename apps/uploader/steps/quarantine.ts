import type { QuarantineReason } from '@app/shared/queue';
import type { Run, Tools } from '../run.js';

/**
 * Moves a file into `<failed>`, its reason written first, so that none ever stands there without one. Never over an
 * existing file. Safe to repeat: a file that is there already stays.
 *
 * @param from whether a file that is not claimed yet may be meant, too
 * @returns false where no file was found to move
 * @throws VolumeError
 */
export async function quarantine(
  run: Pick<Run, 'session' | 'filename'>,
  reason: QuarantineReason,
  tools: Tools,
  from: 'anywhere' | 'claimed' = 'anywhere',
): Promise<boolean> {
  const { layout, volume } = tools;
  const target = layout.failed(run.session, run.filename);
  const claimed = layout.processing(run.session, run.filename);
  const source = (await volume.lstat(claimed)) ? claimed : layout.incoming(run.filename);
  if (source !== claimed) {
    if (await volume.lstat(target)) return true;
    if (from === 'claimed' || !(await volume.lstat(source))) return false;
  }
  await volume.makeFolder(layout.failedFolder(run.session));
  if (await volume.lstat(target)) throw new Error(`${target} exists already; it is not replaced`);
  const text = {
    filename: run.filename,
    date_prefix: run.session.datePrefix,
    encoded_session: run.session.encodedSession,
    ...reason,
  };
  await volume.writeText(layout.reason(run.session, run.filename), `${JSON.stringify(text, null, 2)}\n`);
  const renamed = await volume.renameToFree(source, target);
  if (renamed === 'taken') throw new Error(`${target} exists already; it is not replaced`);
  if (renamed === 'missing' && !(await volume.lstat(target))) {
    await volume.unlink(layout.reason(run.session, run.filename));
    return false;
  }
  return true;
}
