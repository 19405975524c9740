import type { Redis } from 'ioredis';
import { JOB_KEYS } from '../queue/index.js';
import { BATCH } from './batch-script.js';
import { DONE } from './done.js';
import { EVENTS_KEPT } from './events.js';
import { NAME_INDEX } from './name-index-lua.js';
import { bindScript, databaseOf, type Script } from '../redis/index.js';

/**
 * What all scripts of the records share. Keys, after the prefix:
 *
 * - `:format` version of all this, see format.ts
 * - `:watch` hash: enabled, key, name, date_prefix, encoded_session, started_at, changed_at;
 *   labels, a JSON object: key of each session that has labels and is not through -> these, as its own hash has them
 *   while it stops once through also stopping (when that was said) and listed (the same, once the scanner knows what stood there);
 *   expect_files, expect_bytes and end_marker as the session has them; webhook_at, when an api with a webhook was last seen
 * - `:outbox` stream of events for the webhook, see batch-script.ts
 * - `:beat` hash: n, at, back_at, back_since; counted by the scanner in each round, so that a Redis that goes back in time is found out
 * - `:totals` hash: processed_ok, processed_err, last_error
 * - `:sessions` zset of session keys by start; `:session:<key>` hash
 * - `:seq` counter of records; `:file:<id>` hash, one for each drop that is not done; `:done:<id>` text, see done.ts
 * - `:live` hash: blob name -> id of the record that is not done
 * - `:name:<filename>` zset of ids of records that are not done; `:names` hash: file name -> id of its newest done record
 * - `:files:<state>` and `:session:<key>:files:<state>` zsets of record ids, scored by id; of done ones `:done` and
 *   `:session:<key>:done` (release 0.1 kept them as `:file:<id>`, `:name:<filename>` and `:files:done`; those are read until
 *   they are trimmed)
 * - `:by-name` and `:by-name:<entry>` zsets of all records by file name, see name-index-lua.ts
 * - `:receipts:<blob>` hash: claim -> 1
 * - `:finished` set of session keys that finished since their manifest was stored
 * - `:events:<database>` channel, each message an event or several, `:events-kept` stream of the last of them, see events.ts; and `:started:<database>`, which tells the scanner that a session was started
 */
const PRELUDE = `${JOB_KEYS}
local at
local function now()
  if not at then
    local t = redis.call('TIME')
    at = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))
  end
  return at
end
local function skey(s) return P .. ':session:' .. s end
local function fkey(id) return P .. ':file:' .. id end
local function add_bytes(s, field, bytes)
  -- Redis refuses to add -0
  if bytes ~= 0 then redis.call('HINCRBY', skey(s), field, string.format('%.0f', bytes)) end
end
-- what a failed file counted for is kept with it: its size may change until it goes back to work
local function count_failed(id, s, to)
  local bytes = tonumber(redis.call('HGET', fkey(id), to == 'failed' and 'size' or 'failed_bytes') or '0')
  if to == 'failed' then redis.call('HSET', fkey(id), 'failed_bytes', string.format('%.0f', bytes)) else redis.call('HDEL', fkey(id), 'failed_bytes') end
  add_bytes(s, 'bytes_failed', to == 'failed' and bytes or -bytes)
end
local function index(id, s, from, to)
  if from == to then return end
  if from == 'failed' or to == 'failed' then count_failed(id, s, to) end
  if from and from ~= '' then
    redis.call('ZREM', P .. ':files:' .. from, id)
    redis.call('ZREM', skey(s) .. ':files:' .. from, id)
  end
  if to then
    redis.call('ZADD', P .. ':files:' .. to, id, id)
    redis.call('ZADD', skey(s) .. ':files:' .. to, id, id)
  end
end
local function owns(job, token)
  return not job or job == '' or redis.call('GET', job_lock(job)) == token
end
-- the last ones are kept, for listeners who were away; a message says its place among them
local function say_text(text)
  local place = redis.call('XADD', P .. ':events-kept', 'MAXLEN', '~', ${EVENTS_KEPT}, '*', 'event', text)
  redis.call('PUBLISH', P .. ':events:' .. DB, '{"id":"' .. place .. '",' .. text:sub(2))
end
local function say(event) say_text(cjson.encode(event)) end
local function open_session(s, name)
  -- its labels may be back before it is
  if redis.call('HEXISTS', skey(s), 'started_at') == 0 then
    redis.call('HSET', skey(s), 'name', name, 'started_at', now(), 'bytes_total', 0, 'bytes_done', 0, 'counted', 'all')
    redis.call('ZADD', P .. ':sessions', now(), s)
  end
end
${BATCH}
-- opens a session that is not there. Answers with its finished_at, url and labels, and what it is as a batch
local function session_of(s, name)
  local h = redis.call('HMGET', skey(s), 'started_at', 'finished_at', 'url', 'labels', 'complete_at', 'expect_files', 'expect_bytes', 'end_marker', 'counted')
  if not h[1] then open_session(s, name) end
  return h[2], h[3], h[4] or '', {told = h[5], marker = h[8], expects = h[6] or h[7] or h[8], counted = not h[1] and 'all' or h[9]}
end
-- more files are to come
local function not_complete(s, batch)
  if batch.told then redis.call('HDEL', skey(s), 'complete_at') end
end
-- whoever has read finished_at since the script began passes it
local function review(s, finished)
  local k = skey(s)
  if finished == nil then finished = redis.call('HGET', k, 'finished_at') end
  local active = watched() == s
  local busy = active
  if not busy then
    for _, state in ipairs({'queued', 'active', 'delayed'}) do
      if redis.call('ZCARD', k .. ':files:' .. state) > 0 then busy = true break end
    end
  end
  if busy then
    if finished then
      redis.call('HDEL', k, 'finished_at', 'complete_at')
      if not active then say({type = 'session', session = s, state = 'draining'}) end
    end
  elseif not finished then
    redis.call('HSET', k, 'finished_at', now())
    redis.call('SADD', P .. ':finished', s)
    local h = settle_batch(s, batch_of(s, false))
    say({type = 'session', session = s, state = 'finished', complete = h.complete})
    tell_news('finished', s, h)
  end
end
-- what else changes of the record may be written along: field, value, ...
local function set_state(id, s, name, from, to, why, ...)
  index(id, s, from, to)
  redis.call('HSET', fkey(id), 'state', to, 'why', why, 'updated_at', now(), ...)
  local h = redis.call('HMGET', fkey(id), 'size', 'code')
  say({type = 'file', filename = name, session = s, state = to, why = why, size = tonumber(h[1]), code = (to == 'failed' or to == 'delayed') and h[2] ~= '' and h[2] or nil})
end
local function begin_anew(id)
  redis.call('HSET', fkey(id), 'deaths', 0, 'alone_deaths', 0, 'attempts', 0, 'code', '', 'progress', 0, 'finished_at', '')
end
-- the record itself; whoever writes it adds it to ':live', to the indexes of its state, and to its session's bytes
local function write_record(id, s, name, size, state, why)
  redis.call('HSET', fkey(id), 'filename', name, 'session', s, 'state', state, 'why', why, 'size', size, 'attempts', 0, 'deaths', 0, 'alone_deaths', 0, 'run', '', 'queued_at', now(), 'updated_at', now())
  redis.call('ZADD', P .. ':name:' .. name, id, id)
  add_name(name, id)
end
local function new_record(s, name, size)
  local id = string.format('%.0f', redis.call('INCR', P .. ':seq'))
  write_record(id, s, name, size, '', '')
  redis.call('HSET', P .. ':live', s .. '/' .. name, id)
  add_bytes(s, 'bytes_total', tonumber(size))
  return id
end
-- the id of a file's record that is not done, and some of its fields; a hint spares the look for the id
local function live_record(s, name, hint)
  local function read(id)
    local fields, h = {'filename', 'session', 'state', 'size', 'queued_at', 'started_at', 'blob_url'}, {}
    local values = redis.call('HMGET', fkey(id), unpack(fields))
    for i, field in ipairs(fields) do h[field] = values[i] or '' end
    return h
  end
  if hint and hint ~= '' then
    local h = read(hint)
    if h.filename == name and h.session == s and h.state ~= 'done' then return hint, h end
  end
  local id = redis.call('HGET', P .. ':live', s .. '/' .. name)
  if id then return id, read(id) end
end
local function resize(id, s, before, size)
  local old = tonumber(before) or 0
  if old ~= tonumber(size) then
    add_bytes(s, 'bytes_total', tonumber(size) - old)
    redis.call('HSET', fkey(id), 'size', size)
  end
end
-- its place in the index of names is that of the record, which may go on as a done one
local function drop_live(id, s, name, state)
  index(id, s, state, nil)
  redis.call('ZREM', P .. ':name:' .. name, id)
  redis.call('DEL', fkey(id))
end
local function drop_record(id, s, name, state)
  drop_live(id, s, name, state)
  remove_name(name, id)
end
`;

/** Binds a script of the records; see `PRELUDE` for the keys and functions it may use. */
export function recordScript(redis: Redis, prefix: string, name: string, body: string): Script {
  // a script cannot ask for its database, and a channel reaches all of them
  return bindScript(
    redis,
    name,
    prefix,
    `local P, DB = KEYS[1], '${databaseOf(redis)}'\n${NAME_INDEX}${PRELUDE}${DONE}${body}`,
  );
}
