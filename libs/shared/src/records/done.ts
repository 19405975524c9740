import { parseJson, parseSessionKey } from '../domain/index.js';
import type { FileRecord } from './file-record.js';

/**
 * Lua functions for the records of done files, which are many and never change: each is one text, a JSON array of session
 * key, file name, size, MD5, mtime, attempts, pod, queued at, started at, finished at, the id of the name's record before
 * it, the URL where it is not the session's URL and the name, else empty, the blob's ETag without its quotes, the SHA-256
 * where it was taken, and the access tier where one was asked for. What is the same for all of them is not stored.
 *
 * - `finish` makes a live record a done one, `unfinish` the other way round
 * - `newest_in` finds the newest one of a name in a session
 * - `drop_done` removes one, and counts it as trimmed
 */
export const DONE = `
local function dkey(id) return P .. ':done:' .. id end
-- by hand: cjson rounds large numbers
local function digits(text) return text and text ~= '' and tostring(text) or 'null' end
-- makes it the newest of its name. Answers with the id of the one before it
local function newest_of(id, name)
  if redis.call('HSETNX', P .. ':names', name, id) == 1 then return false end
  local before = redis.call('HGET', P .. ':names', name)
  redis.call('HSET', P .. ':names', name, id)
  return before
end
local function finish(id, s, name, from, facts)
  local before = newest_of(id, name)
  if is_counted(id, facts.counted) then supersedes(s, before, 1) end
  local record = {
    cjson.encode(s), cjson.encode(name), digits(facts.size), cjson.encode(facts.md5), digits(facts.mtime),
    digits(facts.attempts), cjson.encode(facts.pod), digits(facts.queued_at), digits(facts.started_at), now(),
    digits(before)
  }
  if facts.url ~= '' then record[12] = cjson.encode(facts.url) end
  if (facts.etag or '') ~= '' then
    record[12] = record[12] or '""'
    record[13] = cjson.encode(facts.etag)
  end
  if (facts.sha256 or '') ~= '' then
    record[12], record[13] = record[12] or '""', record[13] or '""'
    record[14] = cjson.encode(facts.sha256)
  end
  if (facts.tier or '') ~= '' then
    for i = 12, 14 do record[i] = record[i] or '""' end
    record[15] = cjson.encode(facts.tier)
  end
  drop_live(id, s, name, from)
  redis.call('SET', dkey(id), '[' .. table.concat(record, ',') .. ']')
  redis.call('ZADD', P .. ':done', id, id)
  redis.call('ZADD', skey(s) .. ':done', id, id)
  say({type = 'file', filename = name, session = s, state = 'done', why = 'verified in the store', size = tonumber(facts.size), url = facts.said_url or facts.url})
end
local function read_done(id)
  local text = redis.call('GET', dkey(id))
  return text and cjson.decode(text)
end
-- the newest done record of a name that a session has, looked for from one of the name's records back over all sessions.
-- Where none is found: how many reads are left, and where it goes on; nil where the records end
local function newest_in(s, id, reads)
  while id and reads > 0 do
    local record = read_done(id)
    reads = reads - 1
    if record and record[1] == s then return id, reads end
    id = record and type(record[11]) == 'number' and string.format('%.0f', record[11])
  end
  return nil, reads, id or nil
end
local function forget_done(id, s, name)
  redis.call('ZREM', P .. ':done', id)
  redis.call('ZREM', skey(s) .. ':done', id)
  redis.call('DEL', dkey(id))
  if redis.call('HGET', P .. ':names', name) == id then redis.call('HDEL', P .. ':names', name) end
end
local function drop_done(id)
  local record = read_done(id)
  if not record then redis.call('ZREM', P .. ':done', id) return end
  forget_done(id, record[1], record[2])
  remove_name(record[2], id)
  redis.call('HINCRBY', skey(record[1]), 'done_trimmed', 1)
end
local function unfinish(id, record, url, counted)
  local s, name = record[1], record[2]
  local function text(value) return type(value) == 'number' and string.format('%.0f', value) or type(value) == 'string' and value or '' end
  forget_done(id, s, name)
  if type(record[11]) == 'number' then
    redis.call('HSET', P .. ':names', name, text(record[11]))
    if is_counted(id, counted) then supersedes(s, text(record[11]), -1) end
  end
  redis.call('HSET', fkey(id), 'filename', name, 'session', s, 'state', '', 'size', text(record[3]), 'md5', text(record[4]),
    'mtime', text(record[5]), 'attempts', text(record[6]), 'pod', text(record[7]), 'queued_at', text(record[8]),
    'started_at', text(record[9]), 'deaths', 0, 'alone_deaths', 0, 'run', '', 'blob_url', (record[12] or '') ~= '' and record[12] or url, 'progress', text(record[3]), 'etag', text(record[13]), 'sha256', text(record[14]), 'tier', text(record[15]))
  redis.call('HSET', P .. ':live', s .. '/' .. name, id)
  redis.call('ZADD', P .. ':name:' .. name, id, id)
end
`;

/** Reads the record of a done file. @param urlOf the URL of a session's blobs, or null; @returns null where it is none */
export function readDone(id: number, text: string, urlOf: (key: string) => string | null): FileRecord | null {
  const record = parseJson(text);
  if (!Array.isArray(record)) return null;
  const [
    key,
    filename,
    size,
    md5,
    mtime,
    attempts,
    pod,
    queuedAt,
    startedAt,
    finishedAt,
    ,
    url,
    etag,
    sha256,
    tier,
  ] = record as readonly unknown[];
  const session = typeof key === 'string' ? parseSessionKey(key) : null;
  if (!session || typeof key !== 'string' || typeof filename !== 'string') return null;
  const number = (value: unknown) => (typeof value === 'number' ? value : null);
  const words = (value: unknown) => (typeof value === 'string' && value !== '' ? value : null);
  const base = urlOf(key);
  return {
    id,
    filename,
    session,
    state: 'done',
    why: 'verified in the store',
    size: number(size) ?? 0,
    progress: number(size) ?? 0,
    attempts: number(attempts) ?? 0,
    code: null,
    blobUrl: words(url) ?? (base === null ? null : base + encodeURIComponent(filename)),
    md5: words(md5),
    mtime: number(mtime),
    queuedAt: number(queuedAt),
    startedAt: number(startedAt),
    finishedAt: number(finishedAt),
    uploader: words(pod),
    ...(words(etag) === null ? {} : { etag: String(etag) }),
    ...(words(sha256) === null ? {} : { sha256: String(sha256) }),
    ...(words(tier) === null ? {} : { tier: String(tier) }),
  };
}
