import {
  blobName,
  isRemovingNameOf,
  lastPart,
  millisecondsOf,
  removedFileName,
  removingToken,
  sessionKey,
  sideNoteName,
  sideNoteToken,
  type SessionRef,
} from '@app/shared/domain';
import type { BlockedEntries } from './blocked-entries.js';
import { isThere } from './looks.js';
import { mustLead, type ScannerParts } from './parts.js';
import { nameBelow, type SessionFolder, type WalkedRoot } from './walk.js';

/** Past this age Sluice's short-lived files are left-overs of a dead process; milliseconds. */
const SHORT_LIVED_MS = 60_000;

/** What a pass over the left-overs found. */
export interface LeftOvers {
  /** Paths seen in this pass; what is seen twice goes back. */
  readonly seen: ReadonlySet<string>;
  /** Those that did not go back yet: a new file of such a name is held. */
  readonly standing: readonly {
    readonly name: string;
    readonly session: SessionRef;
    readonly entry: string;
  }[];
  /** Sentences for `problems`. */
  readonly problems: readonly string[];
}

/**
 * Puts back what a run left that died between its removal's rename and unlink: a dot name, seen in two passes, which
 * no living pod has in hand. Never over an existing name. The file then counts as claimed: it is added to its folder's
 * files. One that may not be renamed is noted as blocked, and holds its name.
 *
 * @param before paths that the last pass saw
 * @throws VolumeError; LeaseLost
 */
export async function putLeftOversBack(
  parts: ScannerParts,
  folders: readonly SessionFolder[],
  before: ReadonlySet<string>,
  hands: ReadonlySet<string>,
  blocked: BlockedEntries,
): Promise<LeftOvers> {
  const seen = new Set<string>();
  const standing: LeftOvers['standing'][number][] = [];
  const problems: string[] = [];
  for (const folder of folders) {
    for (const entry of folder.leftOvers) {
      const path = `${folder.path}/${entry}`;
      // what is no file was never made by Sluice
      const kind = parts.volume.lstat(path).then((look) => look?.kind);
      if ((await blocked.attempt(path, kind, 'file')) !== 'file') continue;
      const note = sideNoteName(removingToken(entry) ?? '');
      const noted = folder.others.includes(note)
        ? await readNote(parts, `${folder.path}/${note}`, blocked)
        : null;
      const last = noted ?? removedFileName(entry) ?? null;
      if (last === null || lastPart(last) !== last || !isRemovingNameOf(entry, last)) {
        problems.push(
          `${path} is a file whose removal did not end, and its name is not known; rename it by hand to what it was called`,
        );
        continue;
      }
      const { session } = folder;
      const name = nameBelow(folder.below, last);
      standing.push({ name, session, entry });
      if (hands.has(blobName(session, name))) continue;
      seen.add(path);
      const home = `${folder.path}/${last}`;
      if (!before.has(path) || folder.files.includes(name)) continue;
      mustLead(parts);
      if (await blocked.attempt(home, isThere(parts.volume, home), 'perhaps')) continue;
      const renamed = await blocked.attempt(path, parts.volume.renameToFree(path, home), 'blocked');
      if (renamed !== 'renamed') continue;
      if (noted) await remove(parts, `${folder.path}/${note}`, blocked);
      standing.pop();
      folder.files.push(name);
      parts.log.info(
        { file: name, session: session.encodedSession, date: session.datePrefix },
        `recovery put back a file of ${sessionKey(session)} whose removal had not ended`,
      );
    }
  }
  return { seen, standing, problems };
}

/** The name in a side note; null where there is none, undefined where it may not be read. @throws VolumeError */
async function readNote(
  parts: ScannerParts,
  path: string,
  blocked: BlockedEntries,
): Promise<string | null | undefined> {
  return blocked.attempt(path, parts.volume.readText(path), undefined);
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
  blocked: BlockedEntries,
): Promise<void> {
  const isShortLived = (name: string) => /^\.sluice-(tmp|probe)-/.test(name);
  const paths = [
    ...dropped.filter(isShortLived).map((name) => parts.layout.incoming(name)),
    ...roots.flatMap(({ path, dotNames }) => dotNames.filter(isShortLived).map((name) => `${path}/${name}`)),
    ...roots.flatMap(({ folders }) =>
      folders.flatMap(({ path, others }) => others.filter(isShortLived).map((name) => `${path}/${name}`)),
    ),
  ];
  for (const path of paths) await removeOld(parts, path, blocked);
  for (const { folders } of roots)
    for (const folder of folders)
      for (const note of folder.others) {
        const token = sideNoteToken(note);
        if (token === null || hasLeftOver(folder, token)) continue;
        const path = `${folder.path}/${note}`;
        const last = await readNote(parts, path, blocked);
        const name = last == null ? last : nameBelow(folder.below, last);
        // a removal that has not renamed yet writes its note first
        const needed =
          name != null && (folder.files.includes(name) || hands.has(blobName(folder.session, name)));
        if (name !== undefined && !needed) await removeOld(parts, path, blocked);
      }
}

function hasLeftOver({ leftOvers }: SessionFolder, token: string): boolean {
  return leftOvers.some((entry) => removingToken(entry) === token);
}

/** Removes a short-lived file of a dead process: a plain one that was not touched for {@link SHORT_LIVED_MS}. @throws VolumeError; LeaseLost */
export async function removeOld(parts: ScannerParts, path: string, blocked: BlockedEntries): Promise<void> {
  const look = await blocked.attempt(path, parts.volume.lstat(path), null);
  const { volumeMs } = parts.clock.now();
  // what is no plain file was never made by Sluice; without the volume's clock nobody knows how old it is
  if (look?.kind !== 'file' || volumeMs === null) return;
  if (volumeMs - millisecondsOf(look.mtimeNs) <= SHORT_LIVED_MS) return;
  await remove(parts, path, blocked);
}

/** Removes a file; one that does not let itself be removed stays, noted as blocked. @throws VolumeError; LeaseLost */
async function remove(parts: ScannerParts, path: string, blocked: BlockedEntries): Promise<void> {
  mustLead(parts);
  await blocked.attempt(path, parts.volume.unlink(path), false);
}
