/**
 * Most entries of a page: Redis keeps a sorted set of 128 and fewer as one short text, a tenth of what a large one costs
 * (`zset-max-listpack-entries`; entries of over 64 bytes make it a large one nonetheless).
 */
const PAGE_MAX = 128;

/**
 * Lua functions for the index of file names. An entry is the name, a zero byte and the record's id, and stands as long as
 * the record, whatever becomes of it. One sorted set of all entries would cost 140 bytes each, so they stand in pages:
 * `:by-name:<first entry>` holds those from its first entry on, `:by-name` the first entries of all pages but the lowest,
 * whose key ends in nothing. All scores are 0, so that Redis orders by bytes.
 *
 * - `add_name` and `remove_name` are safe to repeat, and belong to the step that writes or removes the record
 * - `name_page` is where an entry stands, or would stand
 */
export const NAME_INDEX = `
local function name_page_key(low) return P .. ':by-name:' .. low end
local function name_page(entry)
  return redis.call('ZREVRANGEBYLEX', P .. ':by-name', '[' .. entry, '-', 'LIMIT', 0, 1)[1] or ''
end
-- the first character counts the digits, so that ids stand in their order
local function name_entry(name, id) return name .. '\\0' .. string.char(48 + #id) .. id end
local function id_of_entry(entry) return string.match(entry, '%z.(%d+)$') end
local function add_name(name, id)
  local entry = name_entry(name, id)
  local key = name_page_key(name_page(entry))
  if redis.call('ZADD', key, 0, entry) == 0 then return 0 end
  if redis.call('ZCARD', key) < ${PAGE_MAX} then return 1 end
  local upper, scored = redis.call('ZRANGE', key, ${PAGE_MAX / 2}, -1), {}
  for _, moved in ipairs(upper) do scored[#scored + 1] = 0 scored[#scored + 1] = moved end
  redis.call('ZREMRANGEBYRANK', key, ${PAGE_MAX / 2}, -1)
  redis.call('ZADD', name_page_key(upper[1]), unpack(scored))
  redis.call('ZADD', P .. ':by-name', 0, upper[1])
  return 1
end
local function remove_entry(low, entry)
  local key = name_page_key(low)
  if redis.call('ZREM', key, entry) == 1 and low ~= '' and redis.call('EXISTS', key) == 0 then
    redis.call('ZREM', P .. ':by-name', low)
  end
end
local function remove_name(name, id)
  local entry = name_entry(name, id)
  remove_entry(name_page(entry), entry)
end
`;
