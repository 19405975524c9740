import { blobName, isRemovingNameOf, removedFileName, sessionKey } from '@app/shared/domain';
import { isThere } from './looks.js';
import { mustLead, type ScannerParts } from './parts.js';
import type { SessionFolder, WalkedRoot } from './walk.js';

/** Past this age Sluice's short-lived files are left-overs of a dead process; milliseconds. */
const SHORT_LIVED_MS = 60_000;
const REMOVING = '.sluice-removing-';
const SIDE_NOTE = '.sluice-name-';
const TOKEN = 8;

/** What a pass over the left-overs found. */
export interface LeftOvers {
  /** Paths seen in this pass; what is seen twice goes back. */
  readonly seen: ReadonlySet<string>;
  /** Sentences for `problems`. */
  readonly problems: readonly string[];
}

/**
 * Puts back what a run left that died between its removal's rename and unlink: a dot name, seen in two passes, which
 * no living pod has in hand. Never over an existing name. The file then counts as claimed: it is added to its folder's
 * files.
 *
 * @param before paths that the last pass saw
 * @throws VolumeError; LeaseLost
 */
export async function putLeftOversBack(
  parts: ScannerParts,
  folders: readonly SessionFolder[],
  before: ReadonlySet<string>,
  hands: ReadonlySet<string>,
): Promise<LeftOvers> {
  const seen = new Set<string>();
  const problems: string[] = [];
  for (const folder of folders) {
    for (const entry of folder.leftOvers) {
      const path = `${folder.path}/${entry}`;
      const token = entry.slice(REMOVING.length, REMOVING.length + TOKEN);
      const note = `${folder.path}/${SIDE_NOTE}${token}`;
      const noted = folder.others.includes(`${SIDE_NOTE}${token}`) ? await parts.volume.readText(note) : null;
      const name = noted ?? removedFileName(entry) ?? null;
      if (name === null || !isRemovingNameOf(entry, name)) {
        problems.push(
          `${path} is a file whose removal did not end, and its name is not known; rename it by hand to what it was called`,
        );
        continue;
      }
      if (hands.has(blobName(folder.session, name))) continue;
      seen.add(path);
      const home = `${folder.path}/${name}`;
      if (!before.has(path) || folder.files.includes(name)) continue;
      mustLead(parts);
      if (await isThere(parts.volume, home)) continue;
      if ((await parts.volume.renameToFree(path, home)) !== 'renamed') continue;
      if (noted !== null) await parts.volume.unlink(note);
      folder.files.push(name);
      parts.log.info(
        { file: name, session: folder.session.encodedSession, date: folder.session.datePrefix },
        `recovery put back a file of ${sessionKey(folder.session)} whose removal had not ended`,
      );
    }
  }
  return { seen, problems };
}

/**
 * Removes short-lived files of dead processes: texts that were being written, probes, and side notes whose file is
 * gone.
 *
 * @param dropped Sluice's own names that a scan saw in the drop folder
 * @throws VolumeError; LeaseLost
 */
export async function sweep(
  parts: ScannerParts,
  roots: readonly WalkedRoot[],
  dropped: readonly string[],
  hands: ReadonlySet<string>,
): Promise<void> {
  const isShortLived = (name: string) => /^\.sluice-(tmp|probe)-/.test(name);
  const paths = [
    ...dropped.filter(isShortLived).map((name) => parts.layout.incoming(name)),
    ...roots.flatMap(({ path, dotNames }) => dotNames.filter(isShortLived).map((name) => `${path}/${name}`)),
    ...roots.flatMap(({ folders }) =>
      folders.flatMap(({ path, others }) => others.filter(isShortLived).map((name) => `${path}/${name}`)),
    ),
  ];
  for (const path of paths) if (await isOld(parts, path)) await remove(parts, path);
  for (const { folders } of roots)
    for (const folder of folders)
      for (const note of folder.others) {
        if (!note.startsWith(SIDE_NOTE) || hasLeftOver(folder, note.slice(SIDE_NOTE.length))) continue;
        const path = `${folder.path}/${note}`;
        const name = await parts.volume.readText(path);
        // a removal that has not renamed yet writes its note first
        const needed =
          name !== null && (folder.files.includes(name) || hands.has(blobName(folder.session, name)));
        if (!needed && (await isOld(parts, path))) await remove(parts, path);
      }
}

function hasLeftOver({ leftOvers }: SessionFolder, token: string): boolean {
  return leftOvers.some((entry) => entry.startsWith(`${REMOVING}${token}.`));
}

async function remove(parts: ScannerParts, path: string): Promise<void> {
  mustLead(parts);
  await parts.volume.unlink(path);
}

/** Whether a file has not been touched for {@link SHORT_LIVED_MS}. */
export async function isOld(parts: ScannerParts, path: string): Promise<boolean> {
  const look = await parts.volume.lstat(path);
  return look !== null && parts.now() - Number(look.mtimeNs / 1_000_000n) > SHORT_LIVED_MS;
}
