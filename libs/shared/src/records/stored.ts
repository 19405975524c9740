import type { Redis } from 'ioredis';
import { sessionKey, type SessionRef } from '../domain/index.js';
import { pairsOf } from '../redis/index.js';
import { readDone } from './done.js';
import { readRecord, type FileRecord } from './file-record.js';
import { recordScript } from './lua.js';

/** Records read per call: a script holds up everybody else. */
const AT_ONCE = 200;
/** Records of their names read per call, in search of later drops in the same session. */
const READS = 3_000;

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

// answers with rows, and where the first of them is not found out yet, with its id and how to go on with it
const STORED = `
local s, after, limit, reads = ARGV[1], ARGV[2], tonumber(ARGV[3]), ${READS}
local from = {id = ARGV[4], newest = ARGV[5], at = ARGV[6]}
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
-- records of a name lead to the one before, over all sessions
local found = {}
local function newest_of(name, id)
  if found[name] then return found[name] end
  local newest = redis.call('HGET', P .. ':names', name)
  if newest == id then return id end
  -- what became the newest meanwhile would be missed
  local at = from.id == id and from.newest == newest and from.at or newest
  local in_session, left, go_on = newest_in(s, at, reads)
  reads = left
  if go_on then return nil, {id, newest, go_on} end
  found[name] = in_session or '0'
  return found[name]
end
-- those of release 0.1 stand in indexes of their own
local function old_ones(name)
  return redis.call('ZINTER', 2, P .. ':name:' .. name, skey(s) .. ':files:done')
end
local rows = {}
for i = 1, math.min(limit, #ids) do
  local id = ids[i]
  local text = redis.call('GET', dkey(id))
  local name = text and cjson.decode(text)[2] or redis.call('HGET', fkey(id), 'filename')
  local standing = 'stands'
  if not name then standing = 'superseded'
  else
    local newest, go_on = newest_of(name, id)
    if go_on then return {rows, i == 1 and go_on or {}} end
    local old = old_ones(name)
    if math.max(tonumber(newest), tonumber(old[#old] or '0')) > tonumber(id) then standing = 'superseded'
    elseif redis.call('HEXISTS', P .. ':live', s .. '/' .. name) == 1 then standing = 'under_way' end
  end
  rows[i] = {id, standing, text or redis.call('HGETALL', fkey(id))}
end
return {rows, {}}`;

/** The done files of a session, as far as records of them are kept. */
export class StoredFiles {
  private readonly script;

  constructor(redis: Redis, prefix: string) {
    this.script = recordScript(redis, prefix, 'sluiceStored', STORED);
  }

  /**
   * Some of them, in the order in which they were queued, with an id above `after`; an empty page is the end, a short one
   * is not.
   */
  async page(session: SessionRef, after: number, limit: number): Promise<StoredFile[]> {
    for (let [behind, goOn]: [string | number, readonly string[]] = [after, []]; ;) {
      const [rows, next] = (await this.script(
        ...[sessionKey(session), behind, Math.min(AT_ONCE, limit)],
        ...[goOn[0] ?? '', goOn[1] ?? '', goOn[2] ?? ''],
      )) as [[string, Standing, string | string[]][], string[]];
      const files = rows.flatMap(([id, standing, kept]) => readStored(Number(id), standing, kept) ?? []);
      if (files.length > 0 || (rows.length === 0 && next.length === 0)) return files;
      // a name with very many later drops, or records that cannot be read
      [behind, goOn] = [rows.at(-1)?.[0] ?? behind, next];
    }
  }
}

function readStored(id: number, standing: Standing, kept: string | string[]): StoredFile | null {
  const record =
    typeof kept === 'string'
      ? readDone(id, kept, () => null)
      : readRecord(id, Object.fromEntries(pairsOf(kept)));
  return record && { record, standing };
}
