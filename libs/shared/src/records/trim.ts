import type { Redis } from 'ioredis';
import { recordScript } from './lua.js';

/** Records looked at per call: a script holds up everybody else. */
const FILES = 500;
const SESSIONS = 200;

// deletes before it writes anything: a full Redis refuses a write that may take memory, unless one that frees some came before
const TRIM = `
local cutoff, max_files, files, sessions, offset = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local trimmed = 0
local excess = redis.call('ZCARD', P .. ':files:done') + redis.call('ZCARD', P .. ':done') - max_files
for _, id in ipairs(redis.call('ZRANGE', P .. ':files:done', 0, files - 1)) do
  local h = redis.call('HMGET', fkey(id), 'session', 'filename', 'finished_at')
  if not h[1] then redis.call('ZREM', P .. ':files:done', id)
  elseif trimmed < excess or (tonumber(h[3]) or 0) < cutoff then
    drop_record(id, h[1], h[2], 'done')
    redis.call('HINCRBY', skey(h[1]), 'done_trimmed', 1)
    trimmed = trimmed + 1
  end
end
for _, id in ipairs(redis.call('ZRANGE', P .. ':done', 0, files - 1)) do
  local record = read_done(id)
  if not record or trimmed < excess or record[10] < cutoff then
    drop_done(id)
    trimmed = trimmed + 1
  end
end
local keys = redis.call('ZRANGEBYSCORE', P .. ':sessions', '-inf', '(' .. ARGV[1], 'LIMIT', offset, sessions)
local kept = 0
for _, s in ipairs(keys) do
  local k = skey(s)
  local finished = tonumber(redis.call('HGET', k, 'finished_at') or '')
  local empty = finished ~= nil and finished < cutoff
  for _, state in ipairs({'queued', 'active', 'delayed', 'done', 'failed'}) do
    if redis.call('ZCARD', k .. ':files:' .. state) > 0 then empty = false end
  end
  if redis.call('ZCARD', k .. ':done') > 0 then empty = false end
  local watch = redis.call('HMGET', P .. ':watch', 'enabled', 'key')
  if empty and not (watch[1] == '1' and watch[2] == s) then
    redis.call('DEL', k)
    redis.call('ZREM', P .. ':sessions', s)
    redis.call('SREM', P .. ':finished', s)
    trimmed = trimmed + 1
  else kept = kept + 1 end
end
local next_offset = 0
if #keys == sessions then next_offset = offset + kept end
return {trimmed, next_offset}`;

/** Removes old records of done files and old finished sessions; counters and quarantined files stay. */
export class Trim {
  private readonly script;
  private offset = 0;

  constructor(redis: Redis, prefix: string) {
    this.script = recordScript(redis, prefix, 'sluiceTrim', TRIM);
  }

  /**
   * Removes some of what finished before a moment, and of the oldest done files beyond a number; repeat it now and then.
   * A session goes once its last record has. Safe for several processes at once, also on a full Redis.
   *
   * @param cutoff milliseconds since 1970
   * @returns how many files and sessions went
   */
  async pass(cutoff: number, maxFiles: number): Promise<number> {
    const answer = await this.script(Math.floor(cutoff), maxFiles, FILES, SESSIONS, this.offset);
    const [trimmed, offset] = answer as [number, number];
    this.offset = offset;
    return trimmed;
  }
}
