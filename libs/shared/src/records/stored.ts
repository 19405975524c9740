import type { Redis } from 'ioredis';
import { sessionKey, type SessionRef } from '../domain/index.js';
import { pairsOf } from '../redis/index.js';
import { readDone } from './done.js';
import { readRecord, type FileRecord } from './file-record.js';
import { recordScript } from './lua.js';

/** Records read per call: a script holds up everybody else. */
const AT_ONCE = 200;

/**
 * What a done record says of the blob of its name: it `stands`; a later drop of the name in the same session `superseded`
 * it; or one is `under_way` and may write the blob at any moment.
 */
export type Standing = 'stands' | 'superseded' | 'under_way';

/** A done record, and whether the blob of its name is the one that it tells of. */
export interface StoredFile {
  readonly record: FileRecord;
  readonly standing: Standing;
}

const STORED = `
local s, after, limit = ARGV[1], ARGV[2], tonumber(ARGV[3])
local ids, seen = {}, {}
for _, index in ipairs({':done', ':files:done'}) do
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', skey(s) .. index, '(' .. after, '+inf', 'LIMIT', 0, limit)) do
    if not seen[id] then
      seen[id] = true
      ids[#ids + 1] = id
    end
  end
end
table.sort(ids, function(a, b) return tonumber(a) < tonumber(b) end)
-- records of a name lead to the one before, over all sessions; those of release 0.1 stand in an index of their own
local function is_superseded(id, name)
  local newer = redis.call('HGET', P .. ':names', name)
  while newer and tonumber(newer) > tonumber(id) do
    local record = read_done(newer)
    if record and record[1] == s then return true end
    newer = record and type(record[11]) == 'number' and string.format('%.0f', record[11])
  end
  for _, other in ipairs(redis.call('ZRANGEBYSCORE', P .. ':name:' .. name, '(' .. id, '+inf')) do
    local h = redis.call('HMGET', fkey(other), 'session', 'state')
    if h[1] == s and h[2] == 'done' then return true end
  end
  return false
end
local rows = {}
for i = 1, math.min(limit, #ids) do
  local id = ids[i]
  local text = redis.call('GET', dkey(id))
  local name = text and cjson.decode(text)[2] or redis.call('HGET', fkey(id), 'filename')
  local standing = 'stands'
  if not name or is_superseded(id, name) then standing = 'superseded'
  elseif redis.call('HEXISTS', P .. ':live', s .. '/' .. name) == 1 then standing = 'under_way' end
  rows[i] = {id, standing, text or redis.call('HGETALL', fkey(id))}
end
return rows`;

/** The done files of a session, as far as records of them are kept. */
export class StoredFiles {
  private readonly script;

  constructor(redis: Redis, prefix: string) {
    this.script = recordScript(redis, prefix, 'sluiceStored', STORED);
  }

  /** Some of them, in the order in which they were queued, with an id above `after`; an empty page is the end. */
  async page(session: SessionRef, after: number, limit: number): Promise<StoredFile[]> {
    const rows = (await this.script(sessionKey(session), after, Math.min(AT_ONCE, limit))) as [
      string,
      Standing,
      string | string[],
    ][];
    return rows.flatMap(([id, standing, kept]) => {
      const record =
        typeof kept === 'string'
          ? readDone(Number(id), kept, () => null)
          : readRecord(Number(id), Object.fromEntries(pairsOf(kept)));
      return record ? [{ record, standing }] : [];
    });
  }
}
