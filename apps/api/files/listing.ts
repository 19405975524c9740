import type { FileState, SessionRef } from '@app/shared/domain';
import { queueBrakes } from '@app/shared/queue';
import { RECORD_STATES, type FileRecord, type RecordState } from '@app/shared/records';
import type { ApiParts } from '../parts.js';
import type { FileList, FileView } from './files.dto.js';
import { incomingView, recordView } from './view.js';
import { alsoShown, readWalk, wasShown, type Position, type Walk } from './walk.js';

/** What a list of files is asked for. */
export interface Wanted {
  /** Null: all. */
  readonly state: FileState | null;
  readonly session: SessionRef | null;
  /** The beginning of the names, byte by byte; null: all names. */
  readonly beginning: string | null;
  readonly limit: number;
  /** `next_cursor` of the page before. */
  readonly cursor: string | undefined;
}

/**
 * A page of files: those in the drop folder first, by name, then the records; newest first, or by name where a beginning
 * of names is asked for.
 *
 * @throws BadRequestException for a cursor of another list; RedisAway
 */
export async function listFiles(parts: ApiParts, wanted: Wanted): Promise<FileList> {
  const { state, session, limit } = wanted;
  const walk = readWalk(wanted.cursor, wanted.beginning);
  const waits = session === null && walk.at === null;
  const found = waits ? await waiting(parts, wanted, walk, limit + 1) : { files: [], lastId: 0 };
  const shownNow = found.files.slice(0, limit);
  const last = shownNow.at(-1);
  const shown = last ? alsoShown(walk.shown, last.filename, found.lastId) : walk.shown;
  if (last && found.files.length > limit)
    return { items: shownNow, next_cursor: walk.cursorOfWaiting(last.filename, shown) };
  const room = limit - shownNow.length;
  const [{ records, next }, brakes] = await parts.gate.ask(() =>
    Promise.all([recorded(parts, wanted, walk.at, room), queueBrakes(parts.queue)]),
  );
  const names = new Set(shownNow.map(({ filename }) => filename));
  const items = [
    ...shownNow,
    ...records
      .filter((record) => state === null || record.state === state)
      .filter((record) => !wasShown(walk.shown, record))
      .filter((record) => !(names.has(record.filename) && record.id > found.lastId))
      .map((record) => recordView(record, brakes)),
  ];
  return { items, next_cursor: walk.cursorOfRecords(next, shown) };
}

/** Files in the drop folder, by name, and the last record when they were seen there. */
async function waiting(
  { gate, incoming }: ApiParts,
  { state, beginning }: Wanted,
  { after }: Walk,
  limit: number,
): Promise<{ files: FileView[]; lastId: number }> {
  if (isOfRecords(state)) return { files: [], lastId: 0 };
  const now = Date.now();
  const { entries, lastId } = await gate.ask(() => incoming.page(state, after, limit, beginning ?? ''));
  return { files: entries.map(([name, entry]) => incomingView(name, entry, now)), lastId };
}

/** A page of records, and where the next one begins; null where there is none. */
async function recorded(
  { history }: ApiParts,
  { state, session, beginning }: Wanted,
  at: Position,
  limit: number,
): Promise<{ records: FileRecord[]; next: Position }> {
  // a state of the drop folder alone: no record has it
  if (state !== null && !isOfRecords(state)) return { records: [], next: null };
  if (beginning === null) {
    const before = typeof at === 'number' ? at : null;
    return history.list({ states: state ? [state] : RECORD_STATES, session, before, limit });
  }
  const after = typeof at === 'string' ? at : '';
  return history.search({ beginning, states: state && [state], session, after, limit });
}

function isOfRecords(state: FileState | null): state is RecordState {
  return (RECORD_STATES as readonly (string | null)[]).includes(state);
}
