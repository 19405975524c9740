import type { Redis } from 'ioredis';
import { parseObject, parseSessionKey, type SessionRef } from '../domain/index.js';
import { recordScript } from './lua.js';

/** Events read per call. */
const BATCH = 100;

const READ = `
redis.call('HSET', P .. ':watch', 'webhook_at', now())
return redis.call('XRANGE', P .. ':outbox', '-', '+', 'COUNT', ${BATCH})`;

/** What happened, for webhooks; written by the same script as the records that it tells of. */
export interface OutboxEvent {
  /** Where it stands in the outbox: no other event of this Redis has that. */
  readonly entry: string;
  readonly kind: 'complete' | 'finished' | 'quarantined';
  readonly session: SessionRef;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** What else was known then. */
  readonly facts: Readonly<Record<string, unknown>>;
}

const KINDS: ReadonlySet<unknown> = new Set(['complete', 'finished', 'quarantined']);

/** Events that wait until an api with a webhook takes them over. */
export class Outbox {
  private readonly readScript;

  constructor(
    private readonly redis: Redis,
    private readonly prefix: string,
  ) {
    this.readScript = recordScript(redis, prefix, 'sluiceOutboxRead', READ);
  }

  /**
   * The oldest events; those stay until they are dropped. Notes that somebody takes them: without that none are kept
   * after a week. Safe to repeat.
   *
   * @returns entries that are no events have null
   */
  async read(): Promise<{ entry: string; event: OutboxEvent | null }[]> {
    const entries = (await this.readScript()) as [string, string[]][];
    return entries.map(([entry, [, text]]) => ({ entry, event: eventOf(entry, text ?? '') }));
  }

  /** Removes events that were taken over. Safe to repeat. */
  async drop(entries: readonly string[]): Promise<void> {
    if (entries.length > 0) await this.redis.xdel(`${this.prefix}:outbox`, ...entries);
  }
}

function eventOf(entry: string, text: string): OutboxEvent | null {
  const { kind, session: key, at, ...facts } = parseObject(text) ?? {};
  const session = typeof key === 'string' ? parseSessionKey(key) : null;
  if (session === null || !KINDS.has(kind) || !Number.isSafeInteger(Number(at))) return null;
  return { entry, kind: kind as OutboxEvent['kind'], session, at: Number(at), facts };
}
