import type { Redis } from 'ioredis';
import { sessionKey } from '../domain/index.js';
import { pairsOf } from '../redis/index.js';
import { recordScript } from './lua.js';
import { NO_BATCH } from './batch.js';
import { KEEP_BATCH } from './batch-script.js';
import { CHANGED, readWatch, type Watch } from './sessions.js';

/** What a beat tells of this Redis, and of how far it had come before. */
export interface Beat {
  /** The session of now; null where Redis knows nothing of any. */
  readonly watch: Watch | null;
  /** The count of beats before this one; 0 where Redis knows of none. */
  readonly before: number;
  /** When Redis last went back in time and that was dealt with, and the last beat that it knew then; null where it never did. */
  readonly goneBack: { readonly at: number; readonly since: number } | null;
  /** The highest that is known now: the caller gives it back with the next beat. */
  readonly mark: BeatMark;
}

/** What Redis must never be behind of: a count of beats, and the totals that came with it. */
export interface BeatMark {
  readonly beat: number;
  readonly processedOk: number;
  readonly processedErr: number;
}

// Only where nobody has said anything later.
const RESTORE = `${CHANGED}${KEEP_BATCH}
local s, name, date, encoded, started, files, bytes, marker, changed_at, stopping, labels = unpack(ARGV)
local before = redis.call('HMGET', P .. ':watch', 'enabled', 'key', 'changed_at')
if before[1] and tonumber(before[3] or '0') >= tonumber(changed_at) then return 0 end
redis.call('HDEL', P .. ':watch', 'labels')
if labels ~= '' then
  redis.call('HSET', P .. ':watch', 'labels', labels)
  for key, text in pairs(cjson.decode(labels)) do redis.call('HSET', skey(key), 'labels', text) end
end
redis.call('HSET', P .. ':watch', 'changed_at', changed_at)
redis.call('HDEL', P .. ':watch', 'stopping', 'listed')
if stopping ~= '' then redis.call('HSET', P .. ':watch', 'stopping', stopping) end
if s == '' then
  redis.call('HSET', P .. ':watch', 'enabled', 0)
else
  open_session(s, name)
  redis.call('HSET', P .. ':watch', 'enabled', 1, 'key', s, 'name', name, 'date_prefix', date, 'encoded_session', encoded, 'started_at', started)
  keep_batch(s, files, bytes, marker)
  redis.call('HDEL', skey(s), 'stopped_at', 'finished_at')
end
if before[1] == '1' and before[2] ~= s then leave(before[2]) end
return 1`;
// Totals only grow: what is known of them outlives a Redis that went back.
const BEAT = `
local k = P .. ':beat'
local mark = tonumber(ARGV[1])
local before = redis.call('HMGET', k, 'n', 'at', 'back_at', 'back_since')
local n = tonumber(before[1] or '0')
local totals = redis.call('HMGET', P .. ':totals', 'processed_ok', 'processed_err')
local watch = redis.call('HGETALL', P .. ':watch')
if n > 0 and n < mark then
  if ARGV[4] ~= '1' then return {n, ARGV[1], ARGV[2], ARGV[3], watch, '', ''} end
  before[3], before[4] = now(), before[2] or '0'
  redis.call('HSET', k, 'back_at', before[3], 'back_since', before[4])
  for i, field in ipairs({'processed_ok', 'processed_err'}) do
    if tonumber(totals[i] or '0') < tonumber(ARGV[i + 1]) then
      totals[i] = ARGV[i + 1]
      redis.call('HSET', P .. ':totals', field, ARGV[i + 1])
    end
  end
end
local next = string.format('%.0f', math.max(n, mark) + 1)
redis.call('HSET', k, 'n', next, 'at', now())
return {n, next, totals[1] or '0', totals[2] or '0', watch, before[3] or '', before[4] or ''}`;

/** How the scanner finds out that Redis lost data or went back in time, and what it makes good then. */
export class Beats {
  private readonly beatScript;
  private readonly restoreScript;

  constructor(redis: Redis, prefix: string) {
    this.beatScript = recordScript(redis, prefix, 'sluiceBeat', BEAT);
    this.restoreScript = recordScript(redis, prefix, 'sluiceSessionRestore', RESTORE);
  }

  /**
   * Makes what was said before Redis lost data hold again: a session, also one that is about to stop, or a stop, and the
   * labels of sessions. Safe to repeat.
   *
   * @returns false where somebody has said something later
   */
  async restore({ session, changedAt, stopping, labels }: Watch): Promise<boolean> {
    const { files, bytes, endMarker } = session?.batch ?? NO_BATCH;
    const args = session
      ? [sessionKey(session), session.name, session.datePrefix, session.encodedSession, session.startedAt]
      : ['', '', '', '', ''];
    args.push(files ?? '', bytes ?? '', endMarker ?? '');
    const labelled = Object.keys(labels).length === 0 ? '' : JSON.stringify(labels);
    return (await this.restoreScript(...args, changedAt, stopping ?? '', labelled)) === 1;
  }

  /**
   * Counts a beat. A Redis that is behind of the mark went back in time, and stays behind until that is dealt with: then
   * it goes on after the mark, its totals are raised to those of the mark, and it keeps in mind that it went back. Safe to
   * repeat.
   *
   * @param mark what the last beat gave, or the volume's note
   * @param dealtWith whether it is known that this Redis went back
   */
  async beat({ beat, processedOk, processedErr }: BeatMark, dealtWith = false): Promise<Beat> {
    const answer = await this.beatScript(beat, processedOk, processedErr, dealtWith ? '1' : '0');
    const [before, now, ok, err, watch, at, since] = answer as [
      ...[number, string, string, string, string[], string, string],
    ];
    return {
      watch: readWatch(Object.fromEntries(pairsOf(watch))),
      before,
      goneBack: at === '' ? null : { at: Number(at), since: Number(since) },
      mark: { beat: Number(now), processedOk: Number(ok), processedErr: Number(err) },
    };
  }
}
