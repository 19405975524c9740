import type { Redis } from 'ioredis';
import { recordScript } from './lua.js';

/** Looks of one call, at most, each at an entry of the index or at one in a filter: a script holds up everybody else. */
const LOOKS_MAX = 10_000;

// with indexes of ids given, only what stands in one of them counts
const PAGE = `
local prefix, after, wanted, looks = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local filters = {unpack(ARGV, 5)}
local below = '(' .. prefix .. '\\255'
local from = after == '' and '[' .. prefix or '(' .. after
local low = name_page(after == '' and prefix or after)
local ids, last = {}, ''
while low do
  local entries = redis.call('ZRANGEBYLEX', name_page_key(low), from, below)
  local page, passes = {}, {}
  for i, entry in ipairs(entries) do page[i] = id_of_entry(entry) end
  for _, filter in ipairs(#page > 0 and filters or {}) do
    for i, score in ipairs(redis.call('ZMSCORE', filter, unpack(page))) do passes[i] = passes[i] or score end
  end
  for i, entry in ipairs(entries) do
    if #filters == 0 or passes[i] then
      if #ids == wanted then return {ids, last} end
      ids[#ids + 1] = page[i]
    end
    last = entry
  end
  looks = looks - #entries * (1 + #filters)
  low = redis.call('ZRANGEBYLEX', P .. ':by-name', '(' .. low, below, 'LIMIT', 0, 1)[1]
  if low and looks <= 0 then return {ids, last} end
end
return {ids, ''}`;

/** A place in the order of names; opaque. The empty text is the beginning. */
export type NamePlace = string;

/** Finds the ids of records by the beginning of a file's name. Each record has one place, whatever its state. */
export class NameIndex {
  private readonly pageScript;

  constructor(redis: Redis, prefix: string) {
    this.pageScript = recordScript(redis, prefix, 'sluiceNamesPage', PAGE);
  }

  /**
   * A page of the records whose names begin with a text, by the bytes of the name, and of one name the older first.
   *
   * @param beginning any text; compared byte by byte
   * @param filters keys of sorted sets of ids; only records of one of them count, where any are given
   * @returns at most `limit` ids, and the place of the next page; null where nothing more follows. It may be few ids,
   *   or none, where a filter leaves out many
   */
  async page(
    beginning: string,
    after: NamePlace,
    limit: number,
    filters: readonly string[],
  ): Promise<{ ids: number[]; next: NamePlace | null }> {
    const answer = await this.pageScript(beginning, after, limit, LOOKS_MAX, ...filters);
    const [ids, next] = answer as [string[], string];
    return { ids: ids.map(Number), next: next === '' ? null : next };
  }
}
