import type { Redis } from 'ioredis';
import { jobId, sessionKey, type SessionRef } from '../domain/index.js';
import { JOB_FIELDS, jobKey, type JobState } from '../queue/index.js';
import { pairsOf } from '../redis/index.js';
import { readDone } from './done.js';
import {
  isElsewhere,
  movedTo,
  readRecord,
  RECORD_STATES,
  type FileRecord,
  type RecordState,
} from './file-record.js';
import { recordScript } from './lua.js';
import { NameIndex, type NamePlace } from './name-index.js';

/** A page of a search begins no further call after this; the whole answer has 850 ms. Milliseconds. */
const SEARCH_MS = 300;

/** Each record as it is kept, and the URLs of the sessions of those that are done. */
const READ = `
local records, urls, asked = {}, {}, {}
local keys = {}
for i, id in ipairs(ARGV) do keys[i] = dkey(id) end
local texts = redis.call('MGET', unpack(keys))
for i, id in ipairs(ARGV) do
  local text = texts[i]
  records[i] = text or redis.call('HGETALL', fkey(id))
  local s = text and cjson.decode(text)[1]
  if s and not asked[s] then
    asked[s] = true
    urls[#urls + 1] = s
    urls[#urls + 1] = redis.call('HGET', skey(s), 'url') or ''
  end
end
return {records, urls}`;
/** Pages of several indexes at one moment. A transaction would do, but a Redis that is full refuses to queue its commands. */
const LIST = `
local pages = {}
for i = 3, #ARGV do
  pages[i - 2] = redis.call('ZREVRANGEBYSCORE', ARGV[i], ARGV[1], '-inf', 'LIMIT', 0, ARGV[2])
end
return pages`;
/** Ids of the records of a name, newest first. */
const FIND = `
local ids, limit = redis.call('ZREVRANGE', P .. ':name:' .. ARGV[1], 0, ARGV[2] - 1), tonumber(ARGV[2])
local id = redis.call('HGET', P .. ':names', ARGV[1])
while id and #ids < 2 * limit do
  ids[#ids + 1] = id
  local record = read_done(id)
  id = record and type(record[11]) == 'number' and string.format('%.0f', record[11])
end
return ids`;

/** Reads the records of files, a page at a time; never the whole queue. */
export class History {
  private readonly readScript;
  private readonly findScript;
  private readonly listScript;
  private readonly names: NameIndex;

  constructor(
    private readonly redis: Redis,
    private readonly prefix: string,
    /** Asks the queue: a job may have moved without a word, by Bull Board or a death. */
    private readonly states: (ids: readonly string[]) => Promise<JobState[]>,
  ) {
    this.readScript = recordScript(redis, prefix, 'sluiceRecordsRead', READ);
    this.findScript = recordScript(redis, prefix, 'sluiceRecordsFind', FIND);
    this.listScript = recordScript(redis, prefix, 'sluiceRecordsList', LIST);
    this.names = new NameIndex(redis, prefix);
  }

  /**
   * Records of these states, newest first, with an id below `before`. Each once, also one that changes its state meanwhile.
   *
   * @returns at most `limit` of them, and `before` of the next page; null where there is none
   */
  async list(query: {
    states: readonly RecordState[];
    session: SessionRef | null;
    before: number | null;
    limit: number;
  }): Promise<{ records: FileRecord[]; next: number | null }> {
    const base = query.session ? `${this.prefix}:session:${sessionKey(query.session)}` : this.prefix;
    const below = query.before === null ? '+inf' : `(${query.before}`;
    // at one moment: a record that changed its state between two reads would be in both, or in none
    const indexes = query.states.flatMap((state) => indexesOf(base, state));
    const pages = (await this.listScript(below, query.limit + 1, ...indexes)) as string[][];
    const ids = newestFirst(pages.flat());
    const page = ids.slice(0, query.limit);
    // by the ids: a record that is trimmed meanwhile does not end the list
    const next = ids.length > query.limit ? (page.at(-1) ?? Number.MAX_SAFE_INTEGER) : null;
    return { records: await this.withJobs(await this.read(page)), next };
  }

  /**
   * Records of these states whose file names begin with a text, by name. Each once, also one that changes its state
   * meanwhile.
   *
   * @param query `states` null: of any state
   * @returns at most `limit` of them, and `after` of the next page; null where there is none. It may be few where many
   *   names begin so and few are of these states
   */
  async search(query: {
    beginning: string;
    states: readonly RecordState[] | null;
    session: SessionRef | null;
    after: NamePlace;
    limit: number;
  }): Promise<{ records: FileRecord[]; next: NamePlace | null }> {
    const { beginning, session, limit } = query;
    const base = session ? `${this.prefix}:session:${sessionKey(session)}` : this.prefix;
    const states = query.states ?? (session ? RECORD_STATES : []);
    const filters = states.flatMap((state) => indexesOf(base, state));
    const ids: number[] = [];
    // an entry of the index goes on with a zero byte, which no name holds
    let next: NamePlace | null = beginning.includes('\0') ? null : query.after;
    const end = performance.now() + SEARCH_MS;
    while (next !== null && ids.length < limit) {
      const page = await this.names.page(beginning, next, limit - ids.length, filters);
      ids.push(...page.ids);
      next = page.next;
      if (performance.now() > end) break;
    }
    return { records: await this.withJobs(await this.read(ids)), next };
  }

  /** The records of a name, newest first. */
  async find(filename: string, limit = 50): Promise<FileRecord[]> {
    const ids = (await this.findScript(filename, limit)) as string[];
    return this.withJobs(await this.read(newestFirst(ids).slice(0, limit)));
  }

  /** The done records of a session in the order in which they were queued, page by page. */
  async *done(session: SessionRef): AsyncGenerator<FileRecord[]> {
    const indexes = indexesOf(`${this.prefix}:session:${sessionKey(session)}`, 'done');
    for (let after = 0; ;) {
      const pages = await Promise.all(
        indexes.map((key) => this.redis.zrangebyscore(key, `(${after}`, '+inf', 'LIMIT', 0, 500)),
      );
      const ids = newestFirst(pages.flat()).reverse().slice(0, 500);
      if (ids.length === 0) return;
      after = ids.at(-1) ?? after;
      yield (await this.read(ids)).filter((record) => record.state === 'done');
    }
  }

  private async read(ids: readonly number[]): Promise<FileRecord[]> {
    if (ids.length === 0) return [];
    const [records, flat] = (await this.readScript(...ids)) as [(string | string[])[], string[]];
    const urls = new Map(pairsOf(flat));
    return records.flatMap((record, i) => {
      const id = ids[i] ?? 0;
      if (typeof record !== 'string') return readRecord(id, Object.fromEntries(pairsOf(record))) ?? [];
      return readDone(id, record, (key) => urls.get(key) || null) ?? [];
    });
  }

  /** What is not done is where its job is: Bull Board and deaths move jobs without a word to the records. */
  private async withJobs(records: FileRecord[]): Promise<FileRecord[]> {
    const open = records.filter(({ state }) => state !== 'done');
    const states = await this.states(open.map(({ filename }) => jobId(filename)));
    const differ = open.filter((record, i) => isElsewhere(record.state, states[i]));
    if (differ.length === 0) return records;
    const pipeline = this.redis.pipeline();
    for (const { filename } of differ)
      pipeline.hmget(jobKey(this.prefix, jobId(filename)), JOB_FIELDS.data, JOB_FIELDS.failedReason);
    const answers = (await pipeline.exec()) ?? [];
    const moved = new Map(
      differ.map((record, i): [number, FileRecord] => {
        const [error, fields] = answers[i] ?? [null, []];
        if (error) throw error;
        const [data, reason] = fields as (string | null)[];
        const state = states[open.indexOf(record)] ?? 'missing';
        return [record.id, movedTo(record, state, data ?? null, reason ?? null)];
      }),
    );
    return records.map((record) => moved.get(record.id) ?? record);
  }
}

/** The indexes of a state's records; done ones of release 0.1 stand in one of their own until they are trimmed. */
function indexesOf(base: string, state: RecordState): string[] {
  return state === 'done' ? [`${base}:done`, `${base}:files:done`] : [`${base}:files:${state}`];
}

function newestFirst(ids: readonly string[]): number[] {
  return [...new Set(ids.map(Number))].sort((a, b) => b - a);
}
