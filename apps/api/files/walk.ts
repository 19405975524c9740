import { makeCursor, readCursor } from '../page.js';

/**
 * A part of the drop folder that a walk has shown: the names up to this one, as a view that was published when the last
 * record had this id. A file of that part which is recorded later was shown already, as a file that waits.
 */
export type Shown = readonly [upTo: string, lastId: number];

/** Where a walk is among the records: before an id, or after a place in the order of names; null: not there yet. */
export type Position = number | string | null;

/** Where a walk over files stands, and how it goes on. */
export interface Walk {
  /** The last name of the drop folder that was shown; null at the beginning, and once all of them were. */
  readonly after: string | null;
  readonly at: Position;
  readonly shown: readonly Shown[];
  /** The cursor of the next page among the records. @param at null: this page was the last one */
  readonly cursorOfRecords: (at: Position, shown: readonly Shown[]) => string | null;
  /** The cursor of the next page in the drop folder. */
  readonly cursorOfWaiting: (after: string, shown: readonly Shown[]) => string;
}

/** Parts that a cursor remembers, and their bytes: it must fit into an address. */
const SHOWN_MAX = 16;
const SHOWN_MAX_BYTES = 4 * 1024;

/**
 * Reads the cursor of a walk; without one it begins.
 *
 * @param beginning of the names, where records come by name; null: they come by id
 * @throws BadRequestException also for the cursor of another beginning
 */
export function readWalk(text: string | undefined, beginning: string | null): Walk {
  const byName = beginning !== null;
  const list = byName ? `files by name ${beginning}` : 'files';
  const isPosition = byName ? (at: unknown) => typeof at === 'string' : isId;
  const read = readCursor(list, text, ({ after, at, shown }) => {
    if (!Array.isArray(shown) || shown.length > SHOWN_MAX || !shown.every(isShown)) return null;
    if (typeof after === 'string' && at === null) return { after, at, shown };
    return after === null && isPosition(at) ? { after, at: at as Position, shown } : null;
  });
  return {
    ...(read ?? { after: null, at: null, shown: [] }),
    cursorOfWaiting: (after, shown) => makeCursor(list, { after, at: null, shown }),
    cursorOfRecords: (at, shown) =>
      at === null
        ? null
        : // what was recorded before the walk began was not shown yet
          makeCursor(list, {
            after: null,
            at,
            shown: shown.filter(([, lastId]) => byName || lastId < Number(at) - 1),
          }),
  };
}

/** Adds the part that a page showed; of more than a cursor can hold the first become one. */
export function alsoShown(shown: readonly Shown[], upTo: string, lastId: number): Shown[] {
  const last = shown.at(-1);
  let parts: Shown[] = [...(last?.[1] === lastId ? shown.slice(0, -1) : shown), [upTo, lastId]];
  for (;;) {
    const [first, second, ...rest] = parts;
    const fits = parts.length <= SHOWN_MAX && Buffer.byteLength(JSON.stringify(parts)) <= SHOWN_MAX_BYTES;
    if (fits || !first || !second) return parts;
    parts = [[second[0], first[1]], ...rest];
  }
}

/** Whether the file of a record was shown while it waited in the drop folder. */
export function wasShown(
  shown: readonly Shown[],
  { filename, id }: { filename: string; id: number },
): boolean {
  const part = shown.find(([upTo]) => filename <= upTo);
  return part !== undefined && id > part[1];
}

function isShown(value: unknown): value is Shown {
  return Array.isArray(value) && value.length === 2 && typeof value[0] === 'string' && isId(value[1]);
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
