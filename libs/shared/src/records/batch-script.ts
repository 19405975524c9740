/** The newest so many events wait to be taken over by an api; older ones of an outage that outlasts them go. */
const OUTBOX_MAX = 100_000;
/** Events are kept for so long after an api with a webhook was last seen; milliseconds. */
const WEBHOOK_SEEN_MS = 7 * 24 * 3600_000;
/** An outbox that nothing was added to for so long goes; milliseconds. */
const OUTBOX_MS = 30 * 24 * 3600_000;
/** Done files that one call counts: a script holds up everybody else. */
const COUNTED_AT_ONCE = 500;

/**
 * Lua functions for sessions as batches, after the first functions of `lua.ts`. The hash of a session holds, where they
 * were given, `expect_files`, `expect_bytes` and `end_marker`; then also `marker_at` (when the marker was in the store).
 * Any session has `complete_at` once that was told, and `superseded` and `superseded_bytes` (of done files that a later
 * drop of the same name took the place of) of the done files up to the id `counted`; 'all' is all of them. An earlier
 * release counted none, and noted nothing: `COUNT_NAMES` makes up for that.
 * It also has `turns` (starts and retries), and `told_complete` and `told_finished`: what it had when a webhook was last told.
 *
 * - `watched` answers with the key of the active session, '' where none is
 * - `tell` adds an event to `:outbox`, where an api with a webhook takes it from; otherwise it does nothing
 * - `batch_of` says whether a session is complete, and what is missing
 * - `settle_batch` tells that a session has become complete, once
 * - `is_counted` says whether a done file is among those whose names are counted
 * - `tell_news` tells a webhook of a session what it was not told before: a run that is repeated after its receipt makes a
 *   session complete and finished anew, with nothing new to tell
 * - `supersedes` notes that a done file took the place of another, or takes that back
 */
export const BATCH = `
local watch
local function watched()
  -- scripts that change it do so before they ask
  if not watch then watch = redis.call('HMGET', P .. ':watch', 'enabled', 'key', 'webhook_at') end
  return watch[1] == '1' and watch[2] or ''
end
local function tell(kind, s, event)
  watched()
  local webhook_at = watch[3] or ''
  if webhook_at == '' or tonumber(now()) - tonumber(webhook_at) > ${WEBHOOK_SEEN_MS} then return end
  event.kind, event.session, event.at = kind, s, now()
  redis.call('XADD', P .. ':outbox', 'MAXLEN', '~', ${OUTBOX_MAX}, '*', 'event', cjson.encode(event))
  redis.call('PEXPIRE', P .. ':outbox', ${OUTBOX_MS})
end
local function files_of(s)
  local k, files = skey(s), {}
  for _, state in ipairs({'queued', 'active', 'delayed', 'failed'}) do files[state] = redis.call('ZCARD', k .. ':files:' .. state) end
  files.done_before, files.done_now = redis.call('ZCARD', k .. ':files:done'), redis.call('ZCARD', k .. ':done')
  return files
end
local BATCH_FIELDS = {
  'name', 'started_at', 'stopped_at', 'finished_at', 'url', 'bytes_total', 'bytes_done', 'bytes_failed', 'done_trimmed',
  'expect_files', 'expect_bytes', 'end_marker', 'marker_at', 'superseded', 'superseded_bytes', 'complete_at', 'labels',
  'turns', 'told_complete', 'told_finished'
}
local function batch_of(s, active)
  local h, values, files = {}, redis.call('HMGET', skey(s), unpack(BATCH_FIELDS)), files_of(s)
  for i, field in ipairs(BATCH_FIELDS) do h[field] = values[i] or '' end
  local function number(field) return tonumber(h[field]) or 0 end
  files.trimmed = number('done_trimmed')
  files.done = files.done_before + files.done_now + files.trimmed
  local open = files.queued + files.active + files.delayed
  local open_bytes = math.max(0, number('bytes_total') - number('bytes_failed') - number('bytes_done'))
  local to_come = number('expect_files') - (files.done - number('superseded')) - files.failed
  local bytes_to_come = number('expect_bytes') - (number('bytes_done') - number('superseded_bytes')) - number('bytes_failed')
  -- one that is open is among those already
  if h.end_marker ~= '' and h.marker_at == '' then to_come = math.max(to_come, 1) end
  h.files, h.missing_files, h.missing_bytes = files, math.max(open, to_come), math.max(open_bytes, bytes_to_come)
  -- what is not here yet has no size unless that was said
  h.bytes_known = h.expect_bytes ~= '' or to_come <= open
  local number_or_marker = h.expect_files ~= '' or h.expect_bytes ~= '' or h.end_marker ~= ''
  local over = h.finished_at ~= '' and not active
  h.complete = (over or number_or_marker) and h.missing_files == 0 and h.missing_bytes == 0 and files.failed == 0
  return h
end
local function facts_of(h)
  return {name = h.name, url = h.url, done = h.files.done, failed = h.files.failed, bytes = h.bytes_done, complete = h.complete}
end
local function tell_news(kind, s, h)
  local news = table.concat({h.turns, h.files.done, h.files.failed, h.bytes_done, h.expect_files, h.expect_bytes}, ' ')
  if h['told_' .. kind] == news then return end
  redis.call('HSET', skey(s), 'told_' .. kind, news)
  tell(kind, s, facts_of(h))
end
local function settle_batch(s, h)
  if not h then h = batch_of(s, watched() == s) end
  if not h.complete or h.complete_at ~= '' then return h end
  redis.call('HSET', skey(s), 'complete_at', now())
  say({type = 'session', session = s, state = watched() == s and 'active' or h.finished_at == '' and 'draining' or 'finished', complete = true})
  tell_news('complete', s, h)
  return h
end
local function is_counted(id, counted)
  return counted == 'all' or tonumber(id) <= tonumber(counted or '0')
end
local function supersedes(s, before, sign)
  if not before then return end
  local text = redis.call('GET', P .. ':done:' .. before)
  local record = text and cjson.decode(text)
  if not record or record[1] ~= s then return end
  redis.call('HINCRBY', skey(s), 'superseded', sign)
  redis.call('HINCRBY', skey(s), 'superseded_bytes', string.format('%.0f', sign * record[3]))
end
`;

/** Counts some more done files of a session that began under an earlier release; answers 1 once all are counted. */
export const COUNT_NAMES = `
local s, most = ARGV[1], ${COUNTED_AT_ONCE}
local h = redis.call('HMGET', skey(s), 'started_at', 'counted')
if not h[1] or h[2] == 'all' then return 1 end
local ids = redis.call('ZRANGEBYSCORE', skey(s) .. ':done', '(' .. (h[2] or '0'), '+inf', 'LIMIT', 0, most)
for _, id in ipairs(ids) do
  local record = read_done(id)
  if record and type(record[11]) == 'number' then supersedes(s, string.format('%.0f', record[11]), 1) end
end
redis.call('HSET', skey(s), 'counted', ids[most] or 'all')
return ids[most] and 0 or 1`;

/** For scripts that start a session: `keep_batch` notes what it expects, in its record and beside what is active. */
export const KEEP_BATCH = `
local function keep_batch(s, files, bytes, marker)
  for field, value in pairs({expect_files = files, expect_bytes = bytes, end_marker = marker}) do
    if value ~= '' then
      redis.call('HSET', skey(s), field, value)
      redis.call('HSET', P .. ':watch', field, value)
    else redis.call('HDEL', P .. ':watch', field) end
  end
end
`;
