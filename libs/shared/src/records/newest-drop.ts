import type { Redis } from 'ioredis';
import { sessionKey, type SessionRef } from '../domain/index.js';
import type { FileRecord } from './file-record.js';
import { recordScript } from './lua.js';

/** Records looked at per call: a script holds up everybody else. */
const LOOKED_AT_MAX = 1000;
/** Names that are remembered of a session. */
const REMEMBERED = 1000;

// the drops of a name lead to the one before, over all sessions; those of release 0.1 stand in an index of their own
const NEWEST = `
local s, from, looks = ARGV[1], ARGV[2], tonumber(ARGV[3])
local old = skey(s) .. ':files:done'
local has_old = redis.call('EXISTS', old) == 1
local found = {}
for i = 4, #ARGV, 2 do
  if i > 4 and looks <= 0 then return {found, ''} end
  local name, newest = ARGV[i], tonumber(ARGV[i + 1])
  local id = from ~= '' and from or redis.call('HGET', P .. ':names', name)
  from = ''
  while id and tonumber(id) > newest do
    if looks <= 0 then return {found, id} end
    looks = looks - 1
    local record = read_done(id)
    local before = record and type(record[11]) == 'number' and record[11]
    if record and record[1] == s then newest = tonumber(id) end
    id = before and before < tonumber(id) and string.format('%.0f', before)
  end
  if has_old then
    local ids = redis.call('ZREVRANGEBYSCORE', P .. ':name:' .. name, '+inf', '(' .. string.format('%.0f', newest), 'LIMIT', 0, ${LOOKED_AT_MAX})
    looks = looks - #ids
    for j, score in ipairs(#ids > 0 and redis.call('ZMSCORE', old, unpack(ids)) or {}) do
      if score then newest = math.max(newest, tonumber(ids[j])) end
    end
  end
  -- in the store already, while its source still stands
  local live = redis.call('HGET', P .. ':live', s .. '/' .. name)
  if live and (redis.call('HGET', fkey(live), 'blob_url') or '') ~= '' then newest = math.max(newest, tonumber(live)) end
  found[#found + 1] = string.format('%.0f', newest)
end
return {found, ''}`;

/** Finds the newest drop of a name in a session whose bytes are in the store, which its blob is from. */
export class NewestDrop {
  private readonly script;

  constructor(redis: Redis, prefix: string) {
    this.script = recordScript(redis, prefix, 'sluiceNewestDrop', NEWEST);
  }

  /**
   * For a walk over a session's done records, oldest first: says of each page which records a later drop of the name has
   * replaced, by their ids. It remembers some names, so that one that was dropped very often is not looked for as often.
   */
  superseded(
    session: SessionRef,
  ): (page: readonly Pick<FileRecord, 'id' | 'filename'>[]) => Promise<ReadonlySet<number>> {
    const remembered = new Map<string, number>();
    return async (page) => {
      const own = new Map(page.map(({ filename, id }) => [filename, id]));
      const newest = new Map([...own].map(([name, id]) => [name, Math.max(id, remembered.get(name) ?? 0)]));
      const open = [...own].filter(([name, id]) => newest.get(name) === id);
      const found = await this.find(session, open);
      for (const [i, [name, id]] of open.entries()) {
        const drop = found[i] ?? id;
        if (drop === id) continue;
        newest.set(name, drop);
        remembered.set(name, drop);
        if (remembered.size > REMEMBERED) remembered.delete(remembered.keys().next().value ?? '');
      }
      return new Set(
        page.filter(({ id, filename }) => id < (newest.get(filename) ?? id)).map(({ id }) => id),
      );
    };
  }

  /** @param drops names, each with the newest drop that is known already */
  private async find(session: SessionRef, drops: readonly (readonly [string, number])[]): Promise<number[]> {
    const found: number[] = [];
    for (let from = ''; found.length < drops.length;) {
      const left = drops.slice(found.length).flat();
      const [ids, next] = (await this.script(sessionKey(session), from, LOOKED_AT_MAX, ...left)) as [
        string[],
        string,
      ];
      found.push(...ids.map(Number));
      from = next;
    }
    return found;
  }
}
