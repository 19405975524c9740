import { sessionKey, type SessionRef } from '@app/shared/domain';
import { NoAnswer, type Asking } from '../asking.js';
import type { PlannedFile } from './plan.dto.js';

/** The longest that the scanner may list, and that an uploader may ask the store; milliseconds. */
const LIST_MS = 30_000;
const ASK_MS = 15_000;

/** A page of files that wait, and after which name the next one begins. */
interface Waiting {
  readonly files: readonly { filename: string; size: number | null; session: string | null }[];
  readonly next: string | null;
}

/**
 * What would become of the files that wait in the drop folder, some of them after a name. Writes nothing.
 *
 * @param session where files go that are not queued yet
 * @param isKnown whether that session is meant; where it only stands for one, its URLs are left out
 * @returns also the name after which the next page begins, and a sentence where not everything is known
 * @throws NoAnswer where no scanner answers; RedisAway
 */
export async function planFiles(
  asking: Asking,
  session: SessionRef,
  isKnown: boolean,
  page: { after: string | null; limit: number },
  signal: AbortSignal,
): Promise<{ items: PlannedFile[]; next: string | null; note: string | null }> {
  const waiting = readWaiting(await asking.ask('scanner', 'waiting', page, LIST_MS, signal));
  if (waiting.files.length === 0) return { items: [], next: waiting.next, note: null };
  const files = waiting.files.map((file) => ({ ...file, session: file.session ?? sessionKey(session) }));
  try {
    const planned = readPlanned(await asking.ask('uploader', 'plan', { files }, ASK_MS, signal));
    const items = planned.files.map((plan, i) => {
      const known = isKnown || typeof waiting.files[i]?.session === 'string';
      return { filename: files[i]?.filename ?? '', ...plan, ...(known ? {} : { url: null, exists: null }) };
    });
    const next = items.length < files.length ? (items.at(-1)?.filename ?? null) : waiting.next;
    return { items, next, note: planned.note };
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    const items = files.map(({ filename }) => ({ filename, url: null, exists: null, fault: null }));
    const note = `what the store would make of these files is not known: ${error.message}`;
    return { items, next: waiting.next, note };
  }
}

function readWaiting({ files, next }: Record<string, unknown>): Waiting {
  if (!Array.isArray(files) || !(next === null || typeof next === 'string')) throw stranger('scanner');
  return { files: files as Waiting['files'], next };
}

function readPlanned({ files, note }: Record<string, unknown>): {
  files: Omit<PlannedFile, 'filename'>[];
  note: string | null;
} {
  if (!Array.isArray(files) || files.length === 0 || !(note === null || typeof note === 'string'))
    throw stranger('uploader');
  return { files: files as Omit<PlannedFile, 'filename'>[], note };
}

function stranger(role: string): NoAnswer {
  return new NoAnswer(`the ${role}'s answer cannot be read; run one release everywhere`);
}
