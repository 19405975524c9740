import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Role } from '../config/index.js';
import { bindScript, channelOf } from '../redis/index.js';

/** A question ends with an error once so many pods took it and fell silent: it may be what ends them. */
export const SILENT_PODS_MAX = 3;
/** A question outlives its asker's patience by this at the most; milliseconds. */
const SLACK_MS = 2_000;

/** Whom a question is for: a role, of which one pod answers. */
export type Answerer = Extract<Role, 'scanner' | 'uploader'>;

/** How a question stands: nobody has taken it, one pod is at it, the answer is there, or there will be none. */
export type Standing =
  | { readonly state: 'open' | 'taken' | 'expired' | 'unanswerable' }
  | { readonly state: 'answered'; readonly text: string };

// Keys after the prefix: `:question:<id>` hash (role, kind, data, takers), `:question:<id>:taker` the pod that is at it,
// `:answer:<id>` text. All of them expire. The channel `:questions:<database>` carries `<role> <kind> <id>`.
const LOCAL = `
local q = KEYS[1] .. ':question:' .. ARGV[1]
local taker, a = q .. ':taker', KEYS[1] .. ':answer:' .. ARGV[1]
`;
const PUT = `${LOCAL}
redis.call('HSET', q, 'role', ARGV[3], 'kind', ARGV[4], 'data', ARGV[5], 'takers', 0)
redis.call('PEXPIRE', q, ARGV[6])
redis.call('PUBLISH', ARGV[2], ARGV[3] .. ' ' .. ARGV[4] .. ' ' .. ARGV[1])`;
const LOOK = `${LOCAL}
local text = redis.call('GET', a)
if text then
  redis.call('DEL', q, taker, a)
  return {'answered', text}
end
local h = redis.call('HMGET', q, 'role', 'kind', 'takers')
if not h[1] then return {'expired'} end
if redis.call('EXISTS', taker) == 1 then return {'taken'} end
if tonumber(h[3]) >= ${SILENT_PODS_MAX} then return {'unanswerable'} end
if ARGV[3] == '1' then redis.call('PUBLISH', ARGV[2], h[1] .. ' ' .. h[2] .. ' ' .. ARGV[1]) end
return {'open'}`;
const WITHDRAW = `${LOCAL}
redis.call('DEL', q, taker, a)`;

/** The channel on which questions are made known. A message is a hint: who asks repeats it until a pod has taken it. */
export function questionChannel(redis: Redis, prefix: string): string {
  return channelOf(redis, prefix, 'questions');
}

/** The asking side: puts questions to the pods of a role and reads what one of them answers. */
export class Questions {
  private readonly scripts;
  private readonly channel;

  constructor(redis: Redis, prefix: string) {
    this.channel = questionChannel(redis, prefix);
    this.scripts = {
      put: bindScript(redis, 'sluiceQuestionPut', prefix, PUT),
      look: bindScript(redis, 'sluiceQuestionLook', prefix, LOOK),
      withdraw: bindScript(redis, 'sluiceQuestionWithdraw', prefix, WITHDRAW),
    };
  }

  /**
   * Asks. A pod that comes later than `timeoutMs` finds no question any more.
   *
   * @param kind one word, which tells the pods what is asked
   * @returns the question's id
   */
  async put(role: Answerer, kind: string, data: object, timeoutMs: number): Promise<string> {
    const id = randomUUID();
    const ttl = Math.ceil(timeoutMs) + SLACK_MS;
    await this.scripts.put(id, this.channel, role, kind, JSON.stringify(data), ttl);
    return id;
  }

  /** How a question stands. An answer is given once and taken out of Redis. @param again whether to call the pods again */
  async look(id: string, again: boolean): Promise<Standing> {
    const [state, text] = (await this.scripts.look(id, this.channel, again ? '1' : '0')) as [
      Standing['state'],
      string?,
    ];
    return state === 'answered' ? { state, text: text ?? '' } : { state };
  }

  /** Nobody waits for the answer any more: the pod that is at it stops. Safe to repeat. */
  async withdraw(id: string): Promise<void> {
    await this.scripts.withdraw(id);
  }
}
