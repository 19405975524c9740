import { makeCursor, readCursor } from '../page.js';

/**
 * A part of the drop folder that a walk has shown: the names up to this one, as a view that was published when the last
 * record had this id. A file of that part which is recorded later was shown already, as a file that waits.
 */
export type Shown = readonly [upTo: string, lastId: number];

/** Where a walk over all files stands: in the drop folder after a name, or among the records before an id. */
export interface Walk {
  readonly after: string | null;
  readonly before: number | null;
  readonly shown: readonly Shown[];
}

/** Parts that a cursor remembers: it must fit into an address. */
const SHOWN_MAX = 16;

/** Reads the cursor of a walk; without one it begins. @throws BadRequestException */
export function readWalk(text: string | undefined): Walk {
  const walk = readCursor('files', text, ({ after, before, shown }) => {
    if (!Array.isArray(shown) || shown.length > SHOWN_MAX || !shown.every(isShown)) return null;
    if (typeof after === 'string' && before === null) return { after, before, shown };
    return after === null && isId(before) ? { after, before, shown } : null;
  });
  return walk ?? { after: null, before: null, shown: [] };
}

/** The cursor of the next page among the records. @param before null: this page was the last one */
export function cursorOfRecords(before: number | null, shown: readonly Shown[]): string | null {
  if (before === null) return null;
  // what is recorded before the walk began was not shown yet
  return makeCursor('files', {
    after: null,
    before,
    shown: shown.filter(([, lastId]) => lastId < before - 1),
  });
}

/** The cursor of the next page in the drop folder. */
export function cursorOfWaiting(after: string, shown: readonly Shown[]): string {
  return makeCursor('files', { after, before: null, shown });
}

/** Adds the part that a page showed. */
export function alsoShown(shown: readonly Shown[], upTo: string, lastId: number): Shown[] {
  const last = shown.at(-1);
  const parts: Shown[] = [...(last?.[1] === lastId ? shown.slice(0, -1) : shown), [upTo, lastId]];
  const [first, second] = parts;
  if (parts.length <= SHOWN_MAX || !first || !second) return parts;
  return [[second[0], first[1]], ...parts.slice(2)];
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
