import { decideStability, folderOf, type FileLook, type VolumeError } from '@app/shared/domain';
import type { Seen } from './aside.js';
import { ignoredKind } from './drop-folder.js';
import type { Entries } from './entries.js';
import type { ScannerParts } from './parts.js';
import type { ScanMemory } from './scan-memory.js';
import type { Taker } from './take.js';

/** Why a file waits while no session is active. */
export const NO_SESSION = 'settling: no session is active; start one with POST /v1/watch/start';
/** Why it waits where the volume does not take the name of the session. */
export const NO_FOLDER =
  'settling: the name of the session is too long for this volume; start one with a shorter name';

/**
 * Judges each file that was looked at: what rests is answered, in order; what does not is put aside in time.
 *
 * @param waits why no file is taken now, as files say it; null where they are
 * @throws VolumeError where no look succeeded
 */
export function judge(
  parts: ScannerParts,
  memory: ScanMemory,
  names: readonly string[],
  looks: readonly (FileLook | null | VolumeError)[],
  waits: string | null,
  entries: Entries,
): Taker[] {
  // a round that was hurried must not stand for the second of two looks
  const rule = { minAgeMs: parts.rules.minFileAgeMs, apartMs: parts.rules.pollIntervalMs / 2 };
  const now = parts.clock.now();
  const seen = new Map<string, Seen>();
  const takers: Taker[] = [];
  for (const [i, name] of names.entries()) {
    const look = looks[i];
    // taken back by its producer, or claimed since it was listed
    if (!look) memory.aside.delete(name);
    else if (look instanceof Error) {
      entries.note(name, 'settling', `settling: it cannot be looked at: ${look.code}`);
      memory.aside.put(name, null);
    } else if (look.kind !== 'file') {
      entries.note(name, 'ignored', ignoredKind(look.kind));
      memory.folders.doubt(folderOf(name));
      memory.aside.put(name, null);
    } else {
      const before = memory.seen.get(name);
      const previous = before?.observation ?? memory.aside.observation(name);
      const { stable, why, observation } = decideStability(previous, look, now, rule);
      const file = { observation, looks: (before?.looks ?? 0) + 1 };
      seen.set(name, file);
      if (!stable)
        memory.aside.restless(name, file, previous !== null && previous.since !== observation.since);
      else if (waits !== null && memory.aside.isUnreadable(name)) {
        // it is not opened again before a session takes it
        memory.aside.put(name, observation, true);
        entries.keep(name);
        continue;
      } else if (waits !== null) memory.aside.delete(name);
      if (waits === null && stable) takers.push({ name, look });
      else {
        const { size, since } = { size: look.size, since: observation.since };
        entries.note(name, 'settling', waits ?? timeless(why), { size, since });
      }
    }
  }
  memory.seen = seen;
  const first = looks[0];
  if (first instanceof Error && looks.every((look) => look instanceof Error)) throw first;
  return takers.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** An age in a sentence goes stale at once; whoever shows it adds the age from `since`. */
function timeless(why: string): string {
  return why.replace(/[\d.]+ s old, ([\d.]+ s) needed/, 'it must rest for $1');
}
