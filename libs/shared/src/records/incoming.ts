import type { Redis } from 'ioredis';
import { parseObject } from '../domain/index.js';
import { pairsOf } from '../redis/index.js';
import type { SluiceEvent } from './events.js';
import { recordScript } from './lua.js';

/** How long the scanner's view lives without being renewed; milliseconds. */
const VIEW_TTL_MS = 30_000;
/** Events in one message. */
const TOLD_AT_ONCE = 500;

/** Totals of the last scan; `GET /v1/status` shows it as `incoming`. */
export interface IncomingView {
  /** Entries in the folder. */
  readonly seen: number;
  readonly settling: number;
  readonly held: number;
  readonly ignored: number;
  /** Age of the oldest file that waits here and was examined, in seconds; 0 where none waits. */
  readonly oldest_age_s: number;
  /** Entries that no scan has examined yet, because the queue has no room for more. */
  readonly unexamined: number;
}

/** Why a file waits in the drop folder, as the scanner last saw it. Times are milliseconds since 1970. */
export interface IncomingEntry {
  readonly state: 'settling' | 'held' | 'ignored';
  /** A sentence; an age in it would go stale, so `since` says from when. */
  readonly why: string;
  readonly since: number;
  /** Bytes; null where it was not looked at. */
  readonly size: number | null;
}

// At one moment; a transaction would do, but a Redis that is full refuses to queue its commands.
const PAGE = `
return {redis.call('HGETALL', P .. ':incoming-entries'), redis.call('MGET', P .. ':incoming-seq', P .. ':seq')}`;

/** The scanner's view of the drop folder, kept in Redis for the api. */
export class Incoming {
  private readonly pageScript;
  private readonly tellScript;

  constructor(
    private readonly redis: Redis,
    private readonly prefix: string,
  ) {
    this.pageScript = recordScript(redis, prefix, 'sluiceIncomingPage', PAGE);
    this.tellScript = recordScript(redis, prefix, 'sluiceIncomingTell', 'say_text(ARGV[1])');
  }

  /** Publishes the view: its totals, and the entries that changed (null: gone) since the last time. */
  async publish(
    view: IncomingView,
    changes: ReadonlyMap<string, IncomingEntry | null>,
    whole: boolean,
  ): Promise<void> {
    const entries = `${this.prefix}:incoming-entries`;
    const multi = this.redis
      .multi()
      .copy(`${this.prefix}:seq`, `${this.prefix}:incoming-seq`, 'REPLACE')
      .set(`${this.prefix}:incoming`, JSON.stringify(view), 'PX', VIEW_TTL_MS);
    if (whole) multi.del(entries);
    const gone: string[] = [];
    const set: string[] = [];
    for (const [name, entry] of changes) {
      if (entry === null) gone.push(name);
      else set.push(name, JSON.stringify(entry));
    }
    if (gone.length > 0) multi.hdel(entries, ...gone);
    if (set.length > 0) multi.hset(entries, ...set);
    await multi.pexpire(entries, VIEW_TTL_MS).exec();
  }

  /** Tells those who listen of files in the drop folder. A repetition is told again. */
  async tell(events: readonly SluiceEvent[]): Promise<void> {
    for (let at = 0; at < events.length; at += TOLD_AT_ONCE)
      await this.tellScript(JSON.stringify({ events: events.slice(at, at + TOLD_AT_ONCE) }));
  }

  /** The totals of the last scan; null where none has ended lately. */
  async view(): Promise<IncomingView | null> {
    const text = await this.redis.get(`${this.prefix}:incoming`);
    return readView(text);
  }

  /** One entry, or null. */
  async entry(filename: string): Promise<IncomingEntry | null> {
    const text = await this.redis.hget(`${this.prefix}:incoming-entries`, filename);
    return readEntry(text);
  }

  /**
   * Entries in a state (null: in any) by name, those after a name (null: from the first), at most `limit`. Reads as many
   * as the scanner examines, never the whole folder.
   *
   * @param beginning only names that begin with it
   * @returns also the id of the last record when the scanner published this view: later ones may be of files in it
   */
  async page(
    state: string | null,
    after: string | null,
    limit: number,
    beginning = '',
  ): Promise<{ entries: (readonly [string, IncomingEntry])[]; lastId: number }> {
    const [flat, ids] = (await this.pageScript()) as [string[], (string | null)[]];
    const hash = Object.fromEntries(pairsOf(flat));
    const names = Object.keys(hash).filter(
      (name) => (after === null || name > after) && name.startsWith(beginning),
    );
    const page: (readonly [string, IncomingEntry])[] = [];
    for (const name of names.sort()) {
      if (page.length === limit) break;
      const entry = readEntry(hash[name]);
      if (entry !== null && (state === null || entry.state === state)) page.push([name, entry]);
    }
    return { entries: page, lastId: Number(ids[0] ?? ids[1] ?? 0) };
  }
}

/** What is no view of a scanner counts as none. */
function readView(text: string | null): IncomingView | null {
  const view = parseObject(text);
  const counts = ['seen', 'settling', 'held', 'ignored', 'oldest_age_s', 'unexamined'] as const;
  return view !== null && counts.every((name) => typeof view[name] === 'number')
    ? (view as unknown as IncomingView)
    : null;
}

/** What is no entry of a scanner counts as none. */
function readEntry(text: string | null | undefined): IncomingEntry | null {
  const entry = parseObject(text);
  return entry !== null &&
    STATES.has(entry.state) &&
    typeof entry.why === 'string' &&
    typeof entry.since === 'number' &&
    (entry.size === null || typeof entry.size === 'number')
    ? (entry as unknown as IncomingEntry)
    : null;
}

const STATES: ReadonlySet<unknown> = new Set(['settling', 'held', 'ignored']);
