import { JOB_DATA, JOB_STATE } from '../queue/index.js';

/** Each how many done files the records beyond the limit go. */
const TRIM_EVERY = 8;

// The moves of a file, each one atomic step; what they share, keys and functions, stands in lua.ts.

// `lease` guards against a scanner that slept through its own: '' is for tests and tools alone.
/** Records files as queued, where the scanner still holds its lease. */
export const QUEUE = `
local lease, state, why = ARGV[1], ARGV[2], ARGV[3]
if lease ~= '' and redis.call('GET', P .. ':scanner-lease') ~= lease then return 0 end
local files, places, sessions = {}, {}, {}
for i = 4, #ARGV, 4 do
  local file = {s = ARGV[i], name = ARGV[i + 2], size = ARGV[i + 3]}
  files[#files + 1] = file
  places[#places + 1] = file.s .. '/' .. file.name
  sessions[file.s] = sessions[file.s] or {name = ARGV[i + 1], bytes = 0, ids = {}}
end
if #files == 0 then return 1 end
for s, session in pairs(sessions) do
  local finished, _, _, batch = session_of(s, session.name)
  session.finished, session.batch = finished, batch
end
local known, fresh = redis.call('HMGET', P .. ':live', unpack(places)), {}
for i, file in ipairs(files) do
  if not known[i] and not fresh[places[i]] then fresh[#fresh + 1] = file fresh[places[i]] = true end
end
local id = #fresh > 0 and redis.call('INCRBY', P .. ':seq', #fresh) - #fresh
local lives, all_ids, events = {}, {}, {}
for i, file in ipairs(fresh) do
  local text, session = string.format('%.0f', id + i), sessions[file.s]
  write_record(text, file.s, file.name, file.size, state, why)
  session.bytes = session.bytes + tonumber(file.size)
  for _, ids in ipairs({all_ids, session.ids}) do ids[#ids + 1] = text ids[#ids + 1] = text end
  lives[#lives + 1] = file.s .. '/' .. file.name
  lives[#lives + 1] = text
  events[i] = {type = 'file', filename = file.name, session = file.s, state = state, why = why, size = tonumber(file.size)}
end
if #fresh > 0 then
  redis.call('HSET', P .. ':live', unpack(lives))
  redis.call('ZADD', P .. ':files:' .. state, unpack(all_ids))
  say(events[2] and {events = events} or events[1])
end
for s, session in pairs(sessions) do
  if #session.ids > 0 then
    not_complete(s, session.batch)
    redis.call('ZADD', skey(s) .. ':files:' .. state, unpack(session.ids))
    add_bytes(s, 'bytes_total', session.bytes)
  end
end
for i, file in ipairs(files) do
  if known[i] then
    local h = redis.call('HMGET', fkey(known[i]), 'state', 'size')
    resize(known[i], file.s, h[2], file.size)
    if h[1] ~= state then set_state(known[i], file.s, file.name, h[1], state, why) end
  end
end
for s, session in pairs(sessions) do review(s, session.finished) end
return 1`;
/** Begins a run, and counts what became of the one before. */
export const BEGIN = `
local s, session_name, name, size, run, alone, pod, job, token = unpack(ARGV)
if not owns(job, token) then return {'lost'} end
local finished, _, labels, batch = session_of(s, session_name)
local id = redis.call('HGET', P .. ':live', s .. '/' .. name)
local before = 'new'
if not id then
  id = new_record(s, name, size)
  not_complete(s, batch)
end
local h = redis.call('HMGET', fkey(id), 'state', 'run', 'run_alone', 'deaths', 'alone_deaths', 'runs', 'retried')
if h[1] ~= '' then before = h[1] end
if h[7] then
  redis.call('HDEL', fkey(id), 'retried')
  before = 'failed'
end
local deaths, alone_deaths, runs = tonumber(h[4] or '0'), tonumber(h[5] or '0'), tonumber(h[6] or '0') + 1
if before == 'failed' then
  deaths, alone_deaths = 0, 0
  begin_anew(id)
  if not h[7] then redis.call('HINCRBY', skey(s), 'turns', 1) end
elseif h[2] and h[2] ~= '' and h[2] ~= run then
  deaths = deaths + 1
  if h[3] == '1' then alone_deaths = alone_deaths + 1 end
end
local mark = run
if deaths >= 2 and alone ~= '1' then mark = '' end
local changes = {'run', mark, 'run_alone', alone, 'pod', pod, 'started_at', now(), 'progress', 0, 'step', '', 'deaths', deaths, 'alone_deaths', alone_deaths, 'runs', runs}
if before == 'active' then
  redis.call('HSET', fkey(id), unpack(changes))
else
  set_state(id, s, name, h[1], 'active', 'an uploader is at it', unpack(changes))
  if finished then review(s, finished) end
end
local lock_ms = job and job ~= '' and redis.call('PTTL', job_lock(job)) or 0
return {before, deaths, alone_deaths, runs, lock_ms, id, labels}`;
// A run that another one has taken over says nothing more.
/** Ends a run without a result. */
export const REST = `
local s, name, run, state, why, attempts, code, job, token = unpack(ARGV)
if not owns(job, token) then return -1 end
local id = redis.call('HGET', P .. ':live', s .. '/' .. name)
if not id then return 0 end
local h = redis.call('HMGET', fkey(id), 'state', 'run')
if h[2] ~= run and h[2] ~= '' then return 0 end
set_state(id, s, name, h[1], state, why, 'run', '', 'attempts', attempts, 'code', code)
return 1`;
/** Records a file as quarantined. */
export const QUARANTINE = `
local s, name, state, why, attempts, code, count, size = unpack(ARGV)
if not owns(ARGV[10], ARGV[11]) then return -1 end
local id = redis.call('HGET', P .. ':live', s .. '/' .. name)
if not id then open_session(s, ARGV[9]) id = new_record(s, name, size) end
local before = redis.call('HGET', fkey(id), 'state')
redis.call('HDEL', fkey(id), 'retried')
set_state(id, s, name, before, 'failed', why, 'run', '', 'attempts', attempts, 'code', code, 'finished_at', now())
if count == '1' and before ~= 'failed' then
  redis.call('HINCRBY', P .. ':totals', 'processed_err', 1)
  tell('quarantined', s, {name = ARGV[9], filename = name, why = why, code = code, attempts = attempts, size = size})
end
review(s)
return 1`;
// Only what the queue itself says counts: whoever asks may be late, and the file be taken, or in quarantine again.
/** Records quarantined files as queued whose jobs were retried. */
export const RETRIED = `${JOB_STATE}${JOB_DATA}
local noted = 0
for i = 1, #ARGV, 3 do
  local s, name, job = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local id = redis.call('HGET', P .. ':live', s .. '/' .. name)
  local state = job_state(job)
  if id and redis.call('HGET', fkey(id), 'state') == 'failed' and (state == 'queued' or state == 'delayed') then
    local data, marked = job_data(job)
    if not marked and tostring(data.date_prefix) .. '/' .. tostring(data.encoded_session) == s then
      begin_anew(id)
      redis.call('HSET', fkey(id), 'retried', 1)
      redis.call('HINCRBY', skey(s), 'turns', 1)
      set_state(id, s, name, 'failed', 'queued', 'retried, waits for an uploader')
      review(s)
      noted = noted + 1
    end
  end
end
return noted`;
/** Writes the receipt of a claim. */
export const RECEIPT = `
local s, name, claim, base, blob_url, size, md5, mtime, attempts, pod, max_files, session_name, job, token, id, etag, sha256, tier = unpack(ARGV)
if not owns(job, token) then return -1 end
local finished, url, _, batch = session_of(s, session_name)
local receipts = P .. ':receipts:' .. s .. '/' .. name
local first = redis.call('HSETNX', receipts, claim, 1)
redis.call('EXPIRE', receipts, 2592000)
local h, ok
id, h = live_record(s, name, id)
if first == 1 then
  if not id then id, h = live_record(s, name, new_record(s, name, size)) end
  resize(id, s, h.size, size)
  ok = redis.call('HINCRBY', P .. ':totals', 'processed_ok', 1)
  add_bytes(s, 'bytes_done', tonumber(size))
end
if id then
  if first == 0 and h.blob_url == '' then
    add_bytes(s, 'bytes_total', -tonumber(h.size))
    drop_record(id, s, name, h.state)
  else
    if first == 0 then add_bytes(s, 'bytes_done', tonumber(size)) end
    if base ~= '' and not url then
      redis.call('HSET', skey(s), 'url', base)
      url = base
    end
    local said_url = blob_url
    if base ~= '' and url == base then blob_url = '' end
    finish(id, s, name, h.state, {size = size, md5 = md5, mtime = mtime, attempts = attempts, pod = pod, url = blob_url, said_url = said_url, etag = etag, sha256 = sha256, tier = tier, queued_at = h.queued_at, started_at = h.started_at, counted = batch.counted})
  end
  redis.call('HDEL', P .. ':live', s .. '/' .. name)
end
if batch.marker == name then redis.call('HSETNX', skey(s), 'marker_at', now()) end
if batch.expects then settle_batch(s) end
-- now and then: a few more than the limit stand until then
if ok and ok % ${TRIM_EVERY} == 0 then
  local excess = math.min(redis.call('ZCARD', P .. ':done') - tonumber(max_files), ${2 * TRIM_EVERY})
  if excess > 0 then
    for _, oldest in ipairs(redis.call('ZRANGE', P .. ':done', 0, excess - 1)) do drop_done(oldest) end
  end
end
review(s, finished)
return first`;
/** Removes the record of a file of which nothing is left. */
export const FORGET = `
local s, name = ARGV[1], ARGV[2]
if not owns(ARGV[3], ARGV[4]) then return -1 end
local id = redis.call('HGET', P .. ':live', s .. '/' .. name)
if not id then return 0 end
local h = redis.call('HMGET', fkey(id), 'state', 'size')
redis.call('HDEL', P .. ':live', s .. '/' .. name)
local f = redis.call('HMGET', fkey(id), 'md5', 'mtime', 'attempts', 'pod', 'blob_url', 'queued_at', 'started_at', 'etag', 'sha256', 'tier')
-- the store has the file, but its source still stood
if (f[5] or '') ~= '' then
  add_bytes(s, 'bytes_done', tonumber(h[2]))
  local _, _, _, batch = session_of(s, '')
  finish(id, s, name, h[1], {size = h[2], md5 = f[1] or '', mtime = f[2], attempts = f[3], pod = f[4] or '', url = f[5], queued_at = f[6], started_at = f[7], etag = f[8] or '', sha256 = f[9] or '', tier = f[10] or '', counted = batch.counted})
else
  add_bytes(s, 'bytes_total', -tonumber(h[2]))
  drop_record(id, s, name, h[1])
  say({type = 'file', filename = name, session = s, state = 'gone'})
end
review(s)
settle_batch(s)
return 1`;
/** Takes back the record of a stored file whose source still stands. */
export const SOURCE_STANDS = `
local s, name, url = ARGV[1], ARGV[2], ARGV[5]
if not owns(ARGV[3], ARGV[4]) then return -1 end
if redis.call('HEXISTS', P .. ':live', s .. '/' .. name) == 1 then return 0 end
local id = redis.call('HGET', P .. ':names', name)
while id do
  local record = read_done(id)
  if record and record[1] == s then
    add_bytes(s, 'bytes_done', -record[3])
    local _, _, _, batch = session_of(s, '')
    unfinish(id, record, url, batch.counted)
    set_state(id, s, name, '', 'delayed', 'it is stored, its source still stands')
    review(s)
    return 1
  end
  id = record and type(record[11]) == 'number' and string.format('%.0f', record[11])
end
for _, id in ipairs(redis.call('ZREVRANGE', P .. ':name:' .. name, 0, -1)) do
  local h = redis.call('HMGET', fkey(id), 'session', 'state', 'size')
  if h[1] == s and h[2] == 'done' then
    redis.call('HSET', P .. ':live', s .. '/' .. name, id)
    add_bytes(s, 'bytes_done', -tonumber(h[3]))
    set_state(id, s, name, 'done', 'delayed', 'it is stored, its source still stands')
    review(s)
    return 1
  end
end
return 0`;
/** Notes bytes in the store, and how far the step is. */
export const PROGRESS = `
local s, name, stored, step, bytes = unpack(ARGV)
local id = redis.call('HGET', P .. ':live', s .. '/' .. name)
if not id then return 0 end
redis.call('HSET', fkey(id), 'progress', stored, 'step', step, 'step_bytes', bytes)
local size = redis.call('HGET', fkey(id), 'size')
local event = {type = 'progress', filename = name, session = s, bytes = tonumber(bytes), size = tonumber(size)}
if step ~= 'uploading' then event.step = step end
say(event)
return 1`;
/** Sets the last error. */
export const LAST_ERROR = `
redis.call('HSET', P .. ':totals', 'last_error', ARGV[1])`;
