import type { Observation } from '@app/shared/domain';

/** Names that are put aside at most: beyond that the head of the order is looked at in every scan again. */
const MOST = 100_000;
/** Looks at a name of the window until it is put aside, if it only is too young: with the defaults a file rests in four. */
const PATIENCE = 5;

/** What is remembered of a file that was looked at. */
export interface Seen {
  /** Null where it could not be looked at, or is no plain file. */
  readonly observation: Observation | null;
  /** Looks at it in a row, as one of the window. */
  readonly looks: number;
}

/** What is remembered of a name that was put aside. */
interface PutAside {
  readonly observation: Observation | null;
  readonly unreadable: boolean;
}

/**
 * Names that the window has moved past, since they do not come to rest or cannot be taken: the one that was looked at
 * longest ago first. Each scan looks at some of them again, so that they cost later names nothing and are not forgotten.
 */
export class Aside {
  readonly #names = new Map<string, PutAside>();

  /** How many slots of a window are kept for coming back: a quarter, so that most are for names in order. */
  share(slots: number): number {
    return Math.min(this.#names.size, Math.ceil(slots / 4));
  }

  /** Whether a name was put aside. */
  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** What the last look at a name left. */
  observation(name: string): Observation | null {
    return this.#names.get(name)?.observation ?? null;
  }

  /** The names that were looked at longest ago. */
  next(count: number): string[] {
    const names: string[] = [];
    for (const name of this.#names.keys()) {
      if (names.length >= count) break;
      names.push(name);
    }
    return names;
  }

  /** Forgets the names that a listing has not shown. */
  keepOnly(listed: ReadonlySet<string>): void {
    for (const name of this.#names.keys()) if (!listed.has(name)) this.#names.delete(name);
  }

  /** A file was looked at and does not rest: puts it aside once it changes, or has taken its time. */
  restless(name: string, { observation, looks }: Seen, changed: boolean): void {
    if (changed || looks >= PATIENCE || this.has(name))
      this.put(name, observation, this.#names.get(name)?.unreadable);
  }

  /** Puts a name aside, behind all others. */
  put(name: string, observation: Observation | null, unreadable = false): void {
    this.#names.delete(name);
    if (this.#names.size < MOST) this.#names.set(name, { observation, unreadable });
  }

  /** A name is gone, at rest or with the queue: it has its place in the order again. */
  delete(name: string): void {
    this.#names.delete(name);
  }

  /** Forgets every name. */
  clear(): void {
    this.#names.clear();
  }

  /** Whether a name could not be opened. */
  isUnreadable(name: string): boolean {
    return this.#names.get(name)?.unreadable === true;
  }

  /** Names that could not be opened. */
  unreadable(): string[] {
    return [...this.#names].filter(([, { unreadable }]) => unreadable).map(([name]) => name);
  }

  /** What the last looks left. */
  observations(): Observation[] {
    return [...this.#names.values()].flatMap(({ observation }) => observation ?? []);
  }
}
