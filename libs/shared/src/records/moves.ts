import type { Redis } from 'ioredis';
import {
  decodeSession,
  Interrupted,
  jobId,
  sessionKey,
  type DoneFacts,
  type SessionRef,
} from '../domain/index.js';
import { JOB_STATE, type JobLock } from '../queue/index.js';
import { recordScript } from './lua.js';

/** A file that the scanner hands to the queue. */
export interface QueuedFile {
  readonly session: SessionRef;
  readonly filename: string;
  /** Bytes. */
  readonly size: number;
}

/** What the beginning of a run found out. */
export interface Begun {
  /** The state before: `failed` means that a quarantined file is being retried. */
  readonly before: 'queued' | 'active' | 'delayed' | 'failed' | 'new';
  /** Whether it is the first run since the file was queued, so that nobody can have claimed it yet. */
  readonly first: boolean;
  /** Runs of this file that ended without a word: their worker died or froze. */
  readonly deaths: number;
  /** Those of them in which the file was alone. */
  readonly aloneDeaths: number;
}

// `lease` guards against a scanner that slept through its own: '' is for tests and tools alone.
const QUEUE = `
local lease, state, why = ARGV[1], ARGV[2], ARGV[3]
if lease ~= '' and redis.call('GET', P .. ':scanner-lease') ~= lease then return 0 end
local touched = {}
for i = 4, #ARGV, 4 do
  local s, session_name, name, size = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  open_session(s, session_name)
  local id = redis.call('HGET', P .. ':live', s .. '/' .. name)
  if not id then id = new_record(s, name, size) else resize(id, s, size) end
  local before = redis.call('HGET', fkey(id), 'state')
  if before ~= state then set_state(id, s, name, before, state, why) end
  touched[s] = true
end
for s in pairs(touched) do review(s) end
return 1`;
const BEGIN = `
local s, session_name, name, size, run, alone, pod, job, token = unpack(ARGV)
if not owns(job, token) then return {'lost'} end
open_session(s, session_name)
local id = redis.call('HGET', P .. ':live', s .. '/' .. name)
local before = 'new'
if not id then id = new_record(s, name, size) end
local h = redis.call('HMGET', fkey(id), 'state', 'run', 'run_alone', 'deaths', 'alone_deaths')
if h[1] ~= '' then before = h[1] end
if redis.call('HDEL', fkey(id), 'retried') == 1 then before = 'failed' end
local deaths, alone_deaths = tonumber(h[4]), tonumber(h[5])
if before == 'failed' then
  deaths, alone_deaths = 0, 0
  begin_anew(id)
elseif h[2] and h[2] ~= '' and h[2] ~= run then
  deaths = deaths + 1
  if h[3] == '1' then alone_deaths = alone_deaths + 1 end
  redis.call('HSET', fkey(id), 'deaths', deaths, 'alone_deaths', alone_deaths)
end
local runs = redis.call('HINCRBY', fkey(id), 'runs', 1)
local mark = run
if deaths >= 2 and alone ~= '1' then mark = '' end
redis.call('HSET', fkey(id), 'run', mark, 'run_alone', alone, 'pod', pod, 'started_at', now(), 'progress', 0)
if before ~= 'active' then
  set_state(id, s, name, h[1], 'active', 'an uploader is at it')
  if redis.call('HEXISTS', skey(s), 'finished_at') == 1 then review(s) end
end
return {before, deaths, alone_deaths, runs}`;
// A run that another one has taken over says nothing more.
const REST = `
local s, name, run, state, why, attempts, code, job, token = unpack(ARGV)
if not owns(job, token) then return -1 end
local id = redis.call('HGET', P .. ':live', s .. '/' .. name)
if not id then return 0 end
local h = redis.call('HMGET', fkey(id), 'state', 'run')
if h[2] ~= run and h[2] ~= '' then return 0 end
redis.call('HSET', fkey(id), 'run', '', 'attempts', attempts, 'code', code)
set_state(id, s, name, h[1], state, why)
return 1`;
const QUARANTINE = `
local s, name, state, why, attempts, code, count, size = unpack(ARGV)
if not owns(ARGV[10], ARGV[11]) then return -1 end
local id = redis.call('HGET', P .. ':live', s .. '/' .. name)
if not id then open_session(s, ARGV[9]) id = new_record(s, name, size) end
local before = redis.call('HGET', fkey(id), 'state')
redis.call('HSET', fkey(id), 'run', '', 'attempts', attempts, 'code', code, 'finished_at', now())
redis.call('HDEL', fkey(id), 'retried')
set_state(id, s, name, before, 'failed', why)
if count == '1' and before ~= 'failed' then redis.call('HINCRBY', P .. ':totals', 'processed_err', 1) end
review(s)
return 1`;
// Only what the queue itself says counts: whoever asks may be late, and the file be taken, or in quarantine again.
const RETRIED = `${JOB_STATE}
local noted = 0
for i = 1, #ARGV, 3 do
  local s, name, job = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local id = redis.call('HGET', P .. ':live', s .. '/' .. name)
  if id and redis.call('HGET', fkey(id), 'state') == 'failed' and job_state(job) == 'queued' then
    local read, data = pcall(cjson.decode, redis.call('HGET', jobs .. job, 'data') or '')
    local its = read and type(data) == 'table' and tostring(data.date_prefix) .. '/' .. tostring(data.encoded_session) == s
    if its and type(data.quarantined) ~= 'table' then
      begin_anew(id)
      redis.call('HSET', fkey(id), 'retried', 1)
      set_state(id, s, name, 'failed', 'queued', 'retried, waits for an uploader')
      review(s)
      noted = noted + 1
    end
  end
end
return noted`;
const RECEIPT = `
local s, name, claim, blob_url, size, md5, mtime, attempts, pod, max_files, session_name, job, token = unpack(ARGV)
if not owns(job, token) then return -1 end
open_session(s, session_name)
local first = redis.call('HSETNX', P .. ':receipts:' .. s .. '/' .. name, claim, 1)
redis.call('EXPIRE', P .. ':receipts:' .. s .. '/' .. name, 2592000)
local id = redis.call('HGET', P .. ':live', s .. '/' .. name)
if first == 1 then
  if not id then id = new_record(s, name, size) end
  resize(id, s, size)
  redis.call('HINCRBY', P .. ':totals', 'processed_ok', 1)
  add_bytes(s, 'bytes_done', tonumber(size))
end
if id then
  local before = redis.call('HGET', fkey(id), 'state')
  if first == 0 then
    add_bytes(s, 'bytes_total', -tonumber(redis.call('HGET', fkey(id), 'size')))
    drop_record(id, s, name, before)
  else
    redis.call('HSET', fkey(id), 'run', '', 'attempts', attempts, 'code', '', 'blob_url', blob_url, 'size', size, 'md5', md5, 'mtime', mtime, 'pod', pod, 'finished_at', now(), 'progress', size)
    set_state(id, s, name, before, 'done', 'verified in the store')
  end
  redis.call('HDEL', P .. ':live', s .. '/' .. name)
end
for _ = 1, 4 do
  if redis.call('ZCARD', P .. ':files:done') <= tonumber(max_files) then break end
  local oldest = redis.call('ZRANGE', P .. ':files:done', 0, 0)[1]
  local h = redis.call('HMGET', fkey(oldest), 'session', 'filename')
  redis.call('HINCRBY', skey(h[1]), 'done_trimmed', 1)
  drop_record(oldest, h[1], h[2], 'done')
end
review(s)
return first`;
const FORGET = `
local s, name = ARGV[1], ARGV[2]
if not owns(ARGV[3], ARGV[4]) then return -1 end
local id = redis.call('HGET', P .. ':live', s .. '/' .. name)
if not id then return 0 end
local h = redis.call('HMGET', fkey(id), 'state', 'size')
add_bytes(s, 'bytes_total', -tonumber(h[2]))
redis.call('HDEL', P .. ':live', s .. '/' .. name)
drop_record(id, s, name, h[1])
say({type = 'file', filename = name, session = s, state = 'gone'})
review(s)
return 1`;
const PROGRESS = `
local s, name, bytes = unpack(ARGV)
local id = redis.call('HGET', P .. ':live', s .. '/' .. name)
if not id then return 0 end
redis.call('HSET', fkey(id), 'progress', bytes)
local size = redis.call('HGET', fkey(id), 'size')
say({type = 'progress', filename = name, session = s, bytes = tonumber(bytes), size = tonumber(size)})
return 1`;
const LAST_ERROR = `
redis.call('HSET', P .. ':totals', 'last_error', ARGV[1])`;

/** The moves of a file from state to state, each one atomic step in Redis. */
export class Moves {
  private readonly scripts;

  constructor(
    private readonly redis: Redis,
    private readonly prefix: string,
  ) {
    const bind = (name: string, body: string) => recordScript(redis, prefix, `sluiceFile${name}`, body);
    this.scripts = {
      queue: bind('Queue', QUEUE),
      begin: bind('Begin', BEGIN),
      rest: bind('Rest', REST),
      quarantine: bind('Quarantine', QUARANTINE),
      retried: bind('Retried', RETRIED),
      receipt: bind('Receipt', RECEIPT),
      forget: bind('Forget', FORGET),
      progress: bind('Progress', PROGRESS),
      lastError: bind('LastError', LAST_ERROR),
    };
  }

  /**
   * Records files as queued; those on record already are gone on with. Safe to repeat.
   *
   * @param lease the scanner's pod id; @returns false where it no longer holds the lease: then nothing was recorded
   */
  async queued(files: readonly QueuedFile[], lease: string, why = 'waits for an uploader'): Promise<boolean> {
    for (let at = 0; at < files.length; at += 500) {
      const args = files
        .slice(at, at + 500)
        .flatMap((file) => [sessionKey(file.session), sessionName(file.session), file.filename, file.size]);
      if ((await this.scripts.queue(lease, 'queued', why, ...args)) !== 1) return false;
    }
    return true;
  }

  /**
   * Begins a run. A file with two deaths gets no mark until it runs alone: call again with `alone`.
   *
   * @param run unique per run
   * @throws Interrupted where the job's lock is lost
   */
  async begin(file: QueuedFile, run: string, alone: boolean, pod: string, lock = UNLOCKED): Promise<Begun> {
    const key = sessionKey(file.session);
    const answer = await this.scripts.begin(
      key,
      sessionName(file.session),
      file.filename,
      file.size,
      run,
      alone ? '1' : '0',
      pod,
      lock.id,
      lock.token,
    );
    const [before, deaths, aloneDeaths, runs] = answer as [Begun['before'] | 'lost', number, number, number];
    if (before === 'lost') throw lost();
    return { before, deaths, aloneDeaths, first: before === 'queued' && runs === 1 };
  }

  /**
   * Ends a run without a result: the file is queued or delayed.
   *
   * @returns false where another run has taken over
   * @throws Interrupted where the job's lock is lost
   */
  async rest(
    session: SessionRef,
    filename: string,
    run: string,
    to: { state: 'queued' | 'delayed'; why: string; attempts: number; code?: string },
    lock = UNLOCKED,
  ): Promise<boolean> {
    const { state, why, attempts, code = '' } = to;
    const args = [sessionKey(session), filename, run, state, why, attempts, code];
    return orLost(await this.scripts.rest(...args, lock.id, lock.token)) === 1;
  }

  /**
   * Records a file as quarantined. `count` raises `processed_err`, once until it is retried. Safe to repeat.
   *
   * @throws Interrupted where the job's lock is lost
   */
  async quarantined(
    file: QueuedFile,
    reason: { why: string; attempts: number; code: string; count: boolean },
    lock = UNLOCKED,
  ): Promise<void> {
    const { why, attempts, code, count } = reason;
    const answer = await this.scripts.quarantine(
      sessionKey(file.session),
      file.filename,
      'failed',
      why,
      attempts,
      code,
      count ? '1' : '0',
      file.size,
      sessionName(file.session),
      lock.id,
      lock.token,
    );
    orLost(answer);
  }

  /**
   * Records quarantined files as queued whose jobs were sent back to work; their sessions are open again. Others are
   * left alone, so it may be asked of any file at any time. Where the one who retried dies before this, recovery asks,
   * or an uploader takes the file first: {@link begin} says `failed` either way.
   *
   * @returns how many changed
   */
  async retried(files: readonly { session: SessionRef; filename: string }[]): Promise<number> {
    let changed = 0;
    for (let at = 0; at < files.length; at += 500) {
      const args = files
        .slice(at, at + 500)
        .flatMap(({ session, filename }) => [sessionKey(session), filename, jobId(filename)]);
      changed += Number(await this.scripts.retried(...args));
    }
    return changed;
  }

  /**
   * Writes the receipt of a claim: in one step the file is done, and the totals rise if this claim has no receipt yet.
   * Safe to repeat.
   *
   * @returns whether it was the first receipt
   * @throws Interrupted where the job's lock is lost: the call may have waited for Redis while another run went on
   */
  async receipt(
    session: SessionRef,
    filename: string,
    claim: string,
    facts: DoneFacts & { attempts: number; pod: string; maxFiles: number },
    lock = UNLOCKED,
  ): Promise<boolean> {
    const { blobUrl, size, md5, mtimeMs, attempts, pod, maxFiles } = facts;
    const answer = await this.scripts.receipt(
      sessionKey(session),
      filename,
      claim,
      blobUrl,
      size,
      md5 ?? '',
      Math.floor(mtimeMs),
      attempts,
      pod,
      maxFiles,
      sessionName(session),
      lock.id,
      lock.token,
    );
    return orLost(answer) === 1;
  }

  /** Whether any claim of this blob has a receipt that has not ended. */
  async hasReceipt(session: SessionRef, filename: string): Promise<boolean> {
    return (await this.redis.exists(`${this.prefix}:receipts:${sessionKey(session)}/${filename}`)) === 1;
  }

  /** Ends a receipt, once its job is complete. Safe to repeat. */
  async endReceipt(session: SessionRef, filename: string, claim: string): Promise<void> {
    await this.redis.hdel(`${this.prefix}:receipts:${sessionKey(session)}/${filename}`, claim);
  }

  /**
   * Removes the record of a file of which nothing is left on the volume. Safe to repeat.
   *
   * @throws Interrupted where the job's lock is lost
   */
  async forget(session: SessionRef, filename: string, lock = UNLOCKED): Promise<void> {
    orLost(await this.scripts.forget(sessionKey(session), filename, lock.id, lock.token));
  }

  /** Notes how many bytes are in the store, and tells those who watch. */
  async progress(session: SessionRef, filename: string, bytes: number): Promise<void> {
    await this.scripts.progress(sessionKey(session), filename, bytes);
  }

  /** Sets the sentence that `GET /v1/status` shows as `last_error`. */
  async lastError(sentence: string): Promise<void> {
    await this.scripts.lastError(sentence);
  }
}

/** For whoever is guarded otherwise: the scanner by its lease. */
const UNLOCKED: JobLock = { id: '', token: '' };

function lost(): Interrupted {
  return new Interrupted('another uploader has taken this file over');
}

function orLost(answer: unknown): unknown {
  if (answer === -1) throw lost();
  return answer;
}

function sessionName(session: SessionRef): string {
  return decodeSession(session.encodedSession);
}
