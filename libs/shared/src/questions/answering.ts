import type { Redis } from 'ioredis';
import { formatBytes, messageOf, parseObject } from '../domain/index.js';
import { bindScript } from '../redis/index.js';
import { questionChannel, type Answerer } from './questions.js';

/** How long a pod may be silent before another one takes its question; milliseconds. */
const TAKER_MS = 6_000;
/** How often a pod says that it is still at a question, and learns that nobody waits any more; milliseconds. */
const RENEW_MS = 1_500;
/** Questions that a pod answers at once; others wait for another pod, or for their turn. */
const AT_ONCE = 4;
/** A larger answer is refused; bytes. */
export const ANSWER_MAX = 4 * 1024 * 1024;

/**
 * Answers one kind of question.
 *
 * @param signal aborts once nobody waits any more, or this pod stops
 * @throws Error whose message the asker reads
 */
export type AnswerOf = (data: Readonly<Record<string, unknown>>, signal: AbortSignal) => Promise<object>;

/** What a pod writes as its answer. */
export type Answer = { readonly data: Record<string, unknown> } | { readonly fault: string };

const LOCAL = `
local q = KEYS[1] .. ':question:' .. ARGV[1]
local taker, a, pod = q .. ':taker', KEYS[1] .. ':answer:' .. ARGV[1], ARGV[2]
local function is_ours() return redis.call('EXISTS', q) == 1 and redis.call('GET', taker) == pod end
`;
const TAKE = `${LOCAL}
if redis.call('EXISTS', q) == 0 or redis.call('EXISTS', a) == 1 then return false end
if not redis.call('SET', taker, pod, 'NX', 'PX', ARGV[3]) then return false end
redis.call('HINCRBY', q, 'takers', 1)
return redis.call('HGET', q, 'data')`;
const RENEW = `${LOCAL}
if not is_ours() then return 0 end
return redis.call('PEXPIRE', taker, ARGV[3])`;
const ANSWER = `${LOCAL}
if not is_ours() then return 0 end
redis.call('SET', a, ARGV[3], 'PX', redis.call('PTTL', q))
return 1`;
const GIVE_BACK = `${LOCAL}
if not is_ours() then return end
redis.call('DEL', taker)
redis.call('HINCRBY', q, 'takers', -1)`;

/** Reads what {@link Answering} wrote. @returns null where it is no answer */
export function readAnswer(text: string): Answer | null {
  const answer = parseObject(text);
  if (typeof answer?.fault === 'string') return { fault: answer.fault };
  const data = answer?.data;
  return typeof data === 'object' && data !== null ? { data: data as Record<string, unknown> } : null;
}

/** The answering side: one pod of a role takes a question, others take it where that one falls silent. Idle, it costs nothing. */
export class Answering {
  private readonly scripts;
  private readonly channel;
  private readonly inHand = new Map<string, AbortController>();
  private stopped = false;

  /**
   * @param redis a connection for work
   * @param listening one that is subscribed; it may hear other channels too
   * @param pod this pod's id
   * @param mayAnswer whether this pod takes questions now
   */
  constructor(
    redis: Redis,
    private readonly listening: Redis,
    prefix: string,
    private readonly role: Answerer,
    private readonly pod: string,
    private readonly answers: Readonly<Record<string, AnswerOf>>,
    private readonly mayAnswer: () => boolean = () => true,
  ) {
    this.channel = questionChannel(redis, prefix);
    this.scripts = {
      take: bindScript(redis, 'sluiceQuestionTake', prefix, TAKE),
      renew: bindScript(redis, 'sluiceQuestionRenew', prefix, RENEW),
      answer: bindScript(redis, 'sluiceQuestionAnswer', prefix, ANSWER),
      giveBack: bindScript(redis, 'sluiceQuestionGiveBack', prefix, GIVE_BACK),
    };
  }

  /** Begins to hear questions; comes back by itself after each loss of Redis. @throws errors of the subscription */
  async start(): Promise<void> {
    this.listening.on('message', (channel: string, text: string) => {
      if (channel === this.channel) this.hear(text);
    });
    await this.listening.subscribe(this.channel);
  }

  /** Takes no question any more, and gives those in hand back to other pods. Safe to repeat. */
  async stop(): Promise<void> {
    this.stopped = true;
    const ids = [...this.inHand.keys()];
    for (const controller of this.inHand.values()) controller.abort();
    await Promise.all(ids.map((id) => this.scripts.giveBack(id, this.pod).catch(() => undefined)));
  }

  private hear(text: string): void {
    const [role, kind = '', id = ''] = text.split(' ');
    const answer = Object.hasOwn(this.answers, kind) ? this.answers[kind] : undefined;
    if (role !== this.role || !answer || this.stopped || !this.mayAnswer()) return;
    if (this.inHand.has(id) || this.inHand.size >= AT_ONCE) return;
    const controller = new AbortController();
    this.inHand.set(id, controller);
    // Redis is away: who asks calls again, or another pod takes it
    this.take(id, answer, controller)
      .catch(() => undefined)
      .finally(() => this.inHand.delete(id));
  }

  private async take(id: string, answer: AnswerOf, controller: AbortController): Promise<void> {
    const data = await this.scripts.take(id, this.pod, TAKER_MS);
    if (typeof data !== 'string') return;
    const renewing = setInterval(() => {
      this.scripts.renew(id, this.pod, TAKER_MS).then(
        (ours) => ours !== 1 && controller.abort(),
        () => undefined,
      );
    }, RENEW_MS);
    try {
      const text = await answered(answer, data, controller.signal);
      if (!controller.signal.aborted) await this.scripts.answer(id, this.pod, text);
    } finally {
      clearInterval(renewing);
    }
  }
}

async function answered(answer: AnswerOf, data: string, signal: AbortSignal): Promise<string> {
  let given: Answer;
  try {
    given = { data: { ...(await answer(parseObject(data) ?? {}, signal)) } };
  } catch (error) {
    given = { fault: messageOf(error) };
  }
  const text = JSON.stringify(given);
  const bytes = Buffer.byteLength(text);
  if (bytes <= ANSWER_MAX) return text;
  const fault = `the answer has ${formatBytes(bytes)}, over the limit of ${formatBytes(ANSWER_MAX)}; ask for less at once`;
  return JSON.stringify({ fault } satisfies Answer);
}
