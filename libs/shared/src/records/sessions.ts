import type { Redis } from 'ioredis';
import {
  decodeSession,
  formatTimeMs,
  parseObject,
  parseSessionKey,
  sessionKey,
  type SessionRef,
} from '../domain/index.js';
import { channelOf } from '../redis/index.js';
import { BatchConflict, NO_BATCH, readBatch, type Batch } from './batch.js';
import { COUNT_NAMES, KEEP_BATCH } from './batch-script.js';
import { recordScript } from './lua.js';

/** The session that new files go to, or none. */
export interface Watch {
  readonly enabled: boolean;
  /** Null while stopped. */
  readonly session:
    | (SessionRef & {
        readonly name: string;
        /** Milliseconds since 1970. */
        readonly startedAt: number;
        readonly batch: Batch;
      })
    | null;
  /** When somebody last started or stopped a session, by Redis' clock; milliseconds since 1970, 0 where it is not known. */
  readonly changedAt: number;
  /**
   * Set while the session stops once what stood in the drop folder then is taken: when that was said, by Redis' clock in
   * milliseconds since 1970, which also tells one such stop from another.
   */
  readonly stopping: number | null;
  /** The labels, JSON, of each session that has some and is not through, by its key. */
  readonly labels: Readonly<Record<string, string>>;
}

/** A session with its name as it was given. */
export interface NamedSession extends SessionRef {
  readonly name: string;
}

/** Where a session stands in the list of all: by its start, in milliseconds since 1970, then by its key. */
export interface SessionPlace {
  readonly startedAt: number;
  readonly key: string;
}

/** A session as its record shows it; times in milliseconds since 1970, sizes in bytes. */
export interface SessionRecord extends SessionRef {
  readonly name: string;
  readonly state: 'active' | 'draining' | 'finished';
  readonly files: { queued: number; active: number; delayed: number; done: number; failed: number };
  /** Done files whose records went by the history limits; they are in `files.done`. */
  readonly trimmed: number;
  /** `total` has no failed files. */
  readonly bytes: { done: number; total: number };
  /** Of files that an uploader is at, what is in the store already. */
  readonly bytesInFlight: number;
  readonly batch: Batch;
  /** Finished, or what it expects has come; and every one of its files is verified in the store. */
  readonly complete: boolean;
  /**
   * What is to be verified before it is complete, as far as is known: what it expects and does not have, and what is under
   * way; failed files are not in it. Bytes are null where files are to come whose bytes nobody has said.
   */
  readonly missing: { readonly files: number; readonly bytes: number | null };
  readonly startedAt: number;
  readonly stoppedAt: number | null;
  readonly finishedAt: number | null;
  /** The blob prefix as an uploader reported it. */
  readonly url: string | null;
  /** JSON; empty where it has none. */
  readonly labels: string;
}

/** What a start says that would give a session another encryption scope than its files have: blocks of two make no blob. */
export class OtherScope {
  constructor(
    /** What its files have. */
    readonly scope: string | null,
  ) {}
}

/**
 * For scripts that start or stop: `changed` notes when, later than what was said before also where another server's clock
 * took over, and ends a stop that was under way; `leave` ends what was active.
 */
export const CHANGED = `
local function changed()
  local before = tonumber(redis.call('HGET', P .. ':watch', 'changed_at') or '0')
  redis.call('HSET', P .. ':watch', 'changed_at', string.format('%.0f', math.max(tonumber(now()), before + 1)))
  redis.call('HDEL', P .. ':watch', 'stopping', 'listed')
end
local function leave(s)
  redis.call('HSET', skey(s), 'stopped_at', now())
  say({type = 'session', session = s, state = 'draining'})
  review(s)
end
`;
/**
 * The Lua function `label`: gives a session labels, or takes them where the text is empty, and keeps the list of all that
 * outlives Redis. Answers with what it has where files of it have another encryption scope.
 */
const LABEL = `
local function scope_of(text) return text ~= '' and cjson.decode(text).encryption_scope or '' end
local function has_files(s)
  for _, state in ipairs({'queued', 'active', 'delayed', 'failed', 'done'}) do
    if redis.call('EXISTS', skey(s) .. ':files:' .. state) == 1 then return true end
  end
  return redis.call('EXISTS', skey(s) .. ':done') == 1 or redis.call('HEXISTS', skey(s), 'done_trimmed') == 1
end
local function is_through(s)
  return redis.call('HEXISTS', skey(s), 'finished_at') == 1 and redis.call('EXISTS', skey(s) .. ':files:failed') == 0
end
local function label(s, text)
  local before = redis.call('HGET', skey(s), 'labels') or ''
  if scope_of(before) ~= scope_of(text) and has_files(s) then return scope_of(before) end
  local all = cjson.decode(redis.call('HGET', P .. ':watch', 'labels') or '{}')
  for key in pairs(all) do if key ~= s and is_through(key) then all[key] = nil end end
  if text == '' then redis.call('HDEL', skey(s), 'labels') all[s] = nil
  else redis.call('HSET', skey(s), 'labels', text) all[s] = text end
  if next(all) then redis.call('HSET', P .. ':watch', 'labels', cjson.encode(all)) else redis.call('HDEL', P .. ':watch', 'labels') end
end
`;
/** Later drops of an end marker, over all sessions, behind which one that was stored before it was named is not looked for. */
const MARKER_READS = 3_000;
const START = `${CHANGED}${KEEP_BATCH}${LABEL}
local s, name, date, encoded, labels, files, bytes, marker = unpack(ARGV)
local has = redis.call('HMGET', skey(s), 'expect_files', 'expect_bytes', 'end_marker')
if files == '' then files = has[1] or '' elseif has[1] and tonumber(files) < tonumber(has[1]) then return {'batch', 'files', has[1]} end
if bytes == '' then bytes = has[2] or '' elseif has[2] and tonumber(bytes) < tonumber(has[2]) then return {'batch', 'bytes', has[2]} end
if marker == '' then marker = has[3] or '' elseif has[3] and marker ~= has[3] then return {'batch', 'endMarker', has[3]} end
local function expect()
  if files .. bytes .. marker == '' then return end
  local h = settle_batch(s)
  if not h.complete then redis.call('HDEL', skey(s), 'complete_at') end
end
local before = redis.call('HMGET', P .. ':watch', 'enabled', 'key', 'name')
if labels ~= '-' then
  local other = label(s, labels)
  if other then return {'scope', other} end
end
open_session(s, name)
changed()
keep_batch(s, files, bytes, marker)
if marker ~= '' and not has[3] and newest_in(s, redis.call('HGET', P .. ':names', marker), ${MARKER_READS}) then
  redis.call('HSETNX', skey(s), 'marker_at', now())
end
if before[1] == '1' and before[2] == s then
  expect()
  return {'', ''}
end
redis.call('HSET', P .. ':watch', 'enabled', 1, 'key', s, 'name', name, 'date_prefix', date, 'encoded_session', encoded, 'started_at', now())
redis.call('HDEL', skey(s), 'stopped_at', 'finished_at')
redis.call('HINCRBY', skey(s), 'turns', 1)
say({type = 'session', session = s, state = 'active'})
redis.call('PUBLISH', P .. ':started:' .. DB, s)
expect()
if before[1] ~= '1' then return {'', ''} end
leave(before[2])
return {before[2], before[3] or ''}`;
const STOP = `${CHANGED}
if ARGV[1] ~= '' and redis.call('HGET', P .. ':watch', 'stopping') ~= ARGV[1] then return 0 end
local before = redis.call('HMGET', P .. ':watch', 'enabled', 'key')
redis.call('HSET', P .. ':watch', 'enabled', 0)
changed()
if before[1] ~= '1' then return 0 end
leave(before[2])
return 1`;
const STOP_ONCE_THROUGH = `${CHANGED}
local watch = P .. ':watch'
if redis.call('HGET', watch, 'enabled') ~= '1' then return '' end
changed()
local since = redis.call('HGET', watch, 'changed_at')
redis.call('HSET', watch, 'stopping', since)
redis.call('PUBLISH', P .. ':started:' .. DB, redis.call('HGET', watch, 'key'))
return since`;
const LISTED = `
if redis.call('HGET', P .. ':watch', 'stopping') ~= ARGV[1] then return 0 end
redis.call('HSET', P .. ':watch', 'listed', ARGV[1])
return 1`;
/** Files in flight that are looked at for their bytes. */
const IN_FLIGHT_MAX = 1000;
const READ = `
local answer, active = {}, watched()
for i, s in ipairs(ARGV) do
  local h = batch_of(s, active == s)
  local in_flight = 0
  for _, id in ipairs(redis.call('ZRANGE', skey(s) .. ':files:active', 0, ${IN_FLIGHT_MAX - 1})) do
    in_flight = in_flight + tonumber(redis.call('HGET', fkey(id), 'progress') or '0')
  end
  answer[i] = cjson.encode({
    key = s, name = h.name, started = h.started_at, stopped = h.stopped_at, finished = h.finished_at, url = h.url,
    total = h.bytes_total, done = h.bytes_done, failed = h.bytes_failed, in_flight = string.format('%.0f', in_flight),
    files = h.files, expect_files = h.expect_files, expect_bytes = h.expect_bytes, end_marker = h.end_marker,
    labels = h.labels, complete = h.complete, missing_files = h.missing_files,
    missing_bytes = h.bytes_known and string.format('%.0f', h.missing_bytes) or ''
  })
end
return {active, answer}`;
// Of a session whose end marker waits: whether anything of it is under way, and what failed.
const BEFORE_MARKER = `
local files = files_of(ARGV[1])
local failed = redis.call('ZRANGE', skey(ARGV[1]) .. ':files:failed', 0, 0)[1]
return {files.queued + files.active + files.delayed, files.failed, failed and redis.call('HGET', fkey(failed), 'filename') or ''}`;

/** Sessions: which one is active, and what became of each. */
export class Sessions {
  private readonly startScript;
  private readonly countScript;
  private readonly stopScript;
  private readonly stopOnceThroughScript;
  private readonly listedScript;
  private readonly readScript;
  private readonly beforeMarkerScript;

  constructor(
    private readonly redis: Redis,
    private readonly prefix: string,
  ) {
    this.startScript = recordScript(redis, prefix, 'sluiceSessionStart', START);
    this.countScript = recordScript(redis, prefix, 'sluiceSessionCount', COUNT_NAMES);
    this.stopScript = recordScript(redis, prefix, 'sluiceSessionStop', STOP);
    this.stopOnceThroughScript = recordScript(
      redis,
      prefix,
      'sluiceSessionStopOnceThrough',
      STOP_ONCE_THROUGH,
    );
    this.listedScript = recordScript(redis, prefix, 'sluiceSessionListed', LISTED);
    this.readScript = recordScript(redis, prefix, 'sluiceSessionRead', READ);
    this.beforeMarkerScript = recordScript(redis, prefix, 'sluiceSessionBeforeMarker', BEFORE_MARKER);
  }

  /** What time it is by Redis' clock, which all pods share; milliseconds since 1970. */
  async now(): Promise<number> {
    const [seconds, microseconds] = await this.redis.time();
    return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
  }

  /**
   * Makes a session the active one; a session of that key is gone on with, also where it was about to stop. Safe to repeat.
   *
   * @param labels JSON, for files whose next attempt begins later; empty takes them away, null keeps what the session has
   * @param batch what it is to have; what is null stays as it was said before
   * @returns the session that this one took the place of, or null; or why nothing was changed
   */
  async start(
    session: NamedSession,
    labels: string | null = null,
    batch: Batch = NO_BATCH,
  ): Promise<NamedSession | OtherScope | BatchConflict | null> {
    const { name, datePrefix, encodedSession } = session;
    const [key, before, holds = ''] = (await this.startScript(
      ...[sessionKey(session), name, datePrefix, encodedSession, labels ?? '-'],
      ...[batch.files ?? '', batch.bytes ?? '', batch.endMarker ?? ''],
    )) as [string, string, string?];
    if (key === 'scope') return new OtherScope(before === '' ? null : before);
    if (key === 'batch') return new BatchConflict(before as keyof Batch, holds);
    const replaced = parseSessionKey(key);
    return replaced && { ...replaced, name: before };
  }

  /**
   * Counts by name some of the done files of a session that began under an earlier release, which did not. Repeat it until
   * all are counted before a start that says what the session is to have. Safe to repeat, for several processes at once.
   *
   * @returns whether all are counted
   */
  async countNames(session: SessionRef): Promise<boolean> {
    return (await this.countScript(sessionKey(session))) === 1;
  }

  /** Stops the active session; what is queued goes on. Safe to repeat. @returns whether one was active. */
  async stop(): Promise<boolean> {
    return (await this.stopScript('')) === 1;
  }

  /**
   * Has the active session stop once the scanner has handed over what stands in the drop folder now.
   *
   * @returns what {@link Watch} has as `stopping` from now on; null where no session is active
   */
  async stopOnceThrough(): Promise<number | null> {
    const since = String(await this.stopOnceThroughScript());
    return since === '' ? null : Number(since);
  }

  /** The scanner knows what stood in the drop folder at that stop. Safe to repeat. */
  async listed(stopping: number): Promise<void> {
    await this.listedScript(stopping);
  }

  /** Whether a scanner knows what stood in the drop folder at that stop, or the stop is over. */
  async isListed(stopping: number): Promise<boolean> {
    const [now, listed] = await this.redis.hmget(`${this.prefix}:watch`, 'stopping', 'listed');
    return now !== String(stopping) || listed === String(stopping);
  }

  /** Ends that stop: the session is stopped, unless something else was said since. Safe to repeat. @returns whether it is */
  async stopNow(stopping: number): Promise<boolean> {
    return (await this.stopScript(stopping)) === 1;
  }

  /** The active session. @returns null where Redis knows nothing of any: it is new, or lost its data. */
  async watch(): Promise<Watch | null> {
    const hash = await this.redis.hgetall(`${this.prefix}:watch`);
    return readWatch(hash);
  }

  /** Session keys, newest first, from `offset` on. */
  async keys(offset: number, limit: number): Promise<string[]> {
    return this.redis.zrevrange(`${this.prefix}:sessions`, offset, offset + limit - 1);
  }

  /**
   * Sessions, newest first, after a place; from the newest on where that is null. Whether the session of that place still
   * stands makes no difference.
   */
  async placesAfter(after: SessionPlace | null, limit: number): Promise<SessionPlace[]> {
    const places: SessionPlace[] = [];
    const from = after?.startedAt ?? '+inf';
    for (let offset = 0; places.length < limit; offset += limit) {
      const flat = await this.redis.zrevrangebyscore(
        ...([`${this.prefix}:sessions`, from, '-inf', 'WITHSCORES', 'LIMIT', offset, limit] as const),
      );
      for (let i = 0; i < flat.length; i += 2) {
        const place = { startedAt: Number(flat[i + 1]), key: flat[i] ?? '' };
        // sessions of one moment stand in the order of their keys
        if (after === null || place.startedAt < after.startedAt || place.key < after.key) places.push(place);
      }
      if (flat.length < 2 * limit) break;
    }
    return places.slice(0, limit);
  }

  /** The sessions of these keys; unknown ones are left out. */
  async read(keys: readonly string[]): Promise<SessionRecord[]> {
    if (keys.length === 0) return [];
    const [active, rows] = (await this.readScript(...keys)) as [string, string[]];
    return rows.flatMap((row) => readSession(JSON.parse(row) as Row, active) ?? []);
  }

  /** What an end marker waits for: how many files of the session are under way, how many failed, and the first of those. */
  async beforeMarker(
    session: SessionRef,
  ): Promise<{ open: number; failed: number; firstFailed: string | null }> {
    const answer = await this.beforeMarkerScript(sessionKey(session));
    const [open, failed, first] = answer as [number, number, string];
    return { open, failed, firstFailed: first === '' ? null : first };
  }

  /** Takes a session that has finished since, for its manifest; each finish is taken once. @returns its key, or null */
  async takeFinished(): Promise<string | null> {
    return this.redis.spop(`${this.prefix}:finished`);
  }

  /** Gives a session back whose manifest could not be stored. Safe to repeat. */
  async putFinishedBack(key: string): Promise<void> {
    await this.redis.sadd(`${this.prefix}:finished`, key);
  }

  /** Remembers the blob prefix's URL that an uploader derived. Safe to repeat. */
  async setUrl(key: string, url: string): Promise<void> {
    await this.redis.hsetnx(`${this.prefix}:session:${key}`, 'url', url);
  }
}

/**
 * Calls back whenever a session was started; a hint, which the loss of a connection may swallow. Comes back by itself.
 *
 * @param redis a connection that hears channels alone: a subscriber can do nothing else
 */
export async function onSessionStart(redis: Redis, prefix: string, started: () => void): Promise<void> {
  const own = channelOf(redis, prefix, 'started');
  redis.on('message', (channel: string) => {
    if (channel === own) started();
  });
  await redis.subscribe(own);
}

/** Reads the watch hash. Null where it is empty. */
export function readWatch(hash: Readonly<Record<string, string>>): Watch | null {
  if (hash.enabled === undefined) return null;
  const session = hash.enabled === '1' ? parseSessionKey(hash.key ?? '') : null;
  const changedAt = Number(hash.changed_at ?? 0) || 0;
  const labels = readLabelsOfSessions(parseObject(hash.labels ?? null));
  if (!session) return { enabled: false, session: null, changedAt, stopping: null, labels };
  return {
    enabled: true,
    changedAt,
    labels,
    stopping: Number(hash.stopping ?? 0) || null,
    session: {
      ...session,
      name: hash.name ?? decodeSession(session.encodedSession),
      startedAt: Number(hash.started_at),
      batch: readBatch(hash),
    },
  };
}

/** The labels of sessions, by key; what is none is left out. */
export function readLabelsOfSessions(value: unknown): Record<string, string> {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  return Object.fromEntries(
    entries.filter(
      (entry): entry is [string, string] =>
        parseSessionKey(entry[0]) !== null && typeof entry[1] === 'string',
    ),
  );
}

/** A session as the script reads it; what is missing is ''. */
type Row = Readonly<
  Record<
    | 'key'
    | 'name'
    | 'started'
    | 'stopped'
    | 'finished'
    | 'url'
    | 'total'
    | 'done'
    | 'failed'
    | 'in_flight'
    | 'expect_files'
    | 'expect_bytes'
    | 'end_marker'
    | 'labels'
    | 'missing_bytes',
    string
  >
> & {
  readonly files: Readonly<Record<'queued' | 'active' | 'delayed' | 'done' | 'failed' | 'trimmed', number>>;
  readonly complete: boolean;
  readonly missing_files: number;
};

function readSession(row: Row, active: string): SessionRecord | null {
  const session = parseSessionKey(row.key);
  if (!session || row.started === '' || formatTimeMs(Number(row.started)) === null) return null;
  const time = (value: string) =>
    value === '' || formatTimeMs(Number(value)) === null ? null : Number(value);
  const { queued, active: inHand, delayed, done, failed, trimmed } = row.files;
  const isActive = active === row.key;
  return {
    ...session,
    name: row.name,
    state: isActive ? 'active' : row.finished !== '' ? 'finished' : 'draining',
    files: { queued, active: inHand, delayed, done, failed },
    trimmed,
    bytes: { done: Number(row.done), total: Number(row.total) - Number(row.failed) },
    bytesInFlight: Number(row.in_flight),
    batch: readBatch(row),
    complete: row.complete,
    missing: {
      files: row.missing_files,
      bytes: row.missing_bytes === '' ? null : Number(row.missing_bytes),
    },
    startedAt: Number(row.started),
    stoppedAt: isActive ? null : time(row.stopped),
    finishedAt: isActive ? null : time(row.finished),
    url: row.url === '' ? null : row.url,
    labels: row.labels,
  };
}
