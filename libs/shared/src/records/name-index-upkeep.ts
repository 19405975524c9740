import type { Redis } from 'ioredis';
import { RECORD_STATES } from './file-record.js';
import { recordScript } from './lua.js';

/** Records, and pages of the index, looked at per call: a script holds up everybody else. */
const RECORDS = 500;
const PAGES = 20;

const COUNT = `
local records, entries = 0, redis.call('ZCARD', name_page_key(''))
for _, key in ipairs(ARGV) do records = records + redis.call('ZCARD', key) end
for _, low in ipairs(redis.call('ZRANGE', P .. ':by-name', 0, -1)) do entries = entries + redis.call('ZCARD', name_page_key(low)) end
return records - entries`;
const ADD = `
local ids = redis.call('ZRANGEBYSCORE', ARGV[1], '(' .. ARGV[2], '+inf', 'LIMIT', 0, ARGV[3])
local added = 0
for _, id in ipairs(ids) do
  local done = read_done(id)
  local name = done and done[2] or redis.call('HGET', fkey(id), 'filename')
  if type(name) == 'string' then added = added + add_name(name, id) end
end
return {added, ids[tonumber(ARGV[3])] or ''}`;
const REMOVE = `
local low, removed = ARGV[1], 0
for _ = 1, tonumber(ARGV[2]) do
  for _, entry in ipairs(redis.call('ZRANGE', name_page_key(low), 0, -1)) do
    local id = id_of_entry(entry)
    if redis.call('EXISTS', fkey(id), dkey(id)) == 0 then
      remove_entry(low, entry)
      removed = removed + 1
    end
  end
  low = redis.call('ZRANGEBYLEX', P .. ':by-name', '(' .. low, '+', 'LIMIT', 0, 1)[1]
  if not low then break end
end
return {removed, low or ''}`;

/**
 * Makes the index of file names agree with the records: releases up to 0.2 write records, and trim them, without it. What
 * this release writes needs none of this.
 */
export class NameIndexUpkeep {
  private readonly countScript;
  private readonly addScript;
  private readonly removeScript;
  private readonly indexes: readonly string[];
  /** Records more than entries, as the last whole pass left it; null before one. */
  private left: number | null = null;

  constructor(redis: Redis, prefix: string) {
    this.countScript = recordScript(redis, prefix, 'sluiceNamesCount', COUNT);
    this.addScript = recordScript(redis, prefix, 'sluiceNamesAdd', ADD);
    this.removeScript = recordScript(redis, prefix, 'sluiceNamesRemove', REMOVE);
    this.indexes = [...RECORD_STATES.map((state) => `${prefix}:files:${state}`), `${prefix}:done`];
  }

  /** Makes the next pass look at every record, whatever the numbers say. */
  forget(): void {
    this.left = null;
  }

  /**
   * Adds what is missing and removes what is left over, where the numbers of records and entries differ from what the last
   * pass left; the first pass always does. Safe to repeat, and for several processes at once.
   *
   * @param signal ends it early
   * @returns entries added and removed
   */
  async pass(signal: AbortSignal): Promise<{ added: number; removed: number }> {
    const changes = { added: 0, removed: 0 };
    if ((await this.surplus()) === this.left) return changes;
    for (const index of this.indexes)
      for (let after = '0'; after !== '' && !signal.aborted;) {
        const [added, next] = (await this.addScript(index, after, RECORDS)) as [number, string];
        changes.added += added;
        after = next;
      }
    let low = '';
    do {
      const [removed, next] = (await this.removeScript(low, PAGES)) as [number, string];
      changes.removed += removed;
      low = next;
    } while (low !== '' && !signal.aborted);
    if (!signal.aborted) this.left = await this.surplus();
    return changes;
  }

  private async surplus(): Promise<number> {
    return Number(await this.countScript(...this.indexes));
  }
}
