import type { Redis } from 'ioredis';
import { parseObject } from '../domain/index.js';

/** An event of `GET /v1/events`; its other members depend on its type. */
export type SluiceEvent = Readonly<Record<string, unknown>> & {
  readonly type: 'file' | 'progress' | 'session';
  /** `<date>/<encoded session>`; null of a file that is in no session yet. */
  readonly session: string | null;
};

/** Events that were told together, and their place among all. */
export interface Told {
  /** A place, see {@link isPlace}; null where the one who told them keeps none (release 0.2). */
  readonly place: string | null;
  readonly events: readonly SluiceEvent[];
}

/** Messages that are kept for listeners who were away; some more stand until Redis trims them. */
export const EVENTS_KEPT = 10_000;
/** The place before the first message. */
export const FIRST_PLACE = '0-0';

const TYPES: ReadonlySet<unknown> = new Set(['file', 'progress', 'session']);

/** The key of the stream that holds the last messages; they come and go through the channel at once. */
export const keptKey = (prefix: string): string => `${prefix}:events-kept`;

/**
 * Reads a message of the channel or of the stream, which whoever reaches Redis can write to: an event, or an object with
 * a list of `events`.
 *
 * @returns those that are events
 */
export function readEvents(text: string): SluiceEvent[] {
  return [...readTold(text).events];
}

/** As {@link readEvents}, with the place that the message names. */
export function readTold(text: string): Told {
  const { id, ...message } = parseObject(text) ?? {};
  const events: unknown[] = Array.isArray(message.events) ? message.events : [message];
  return { place: typeof id === 'string' && isPlace(id) ? id : null, events: events.filter(isEvent) };
}

function isEvent(value: unknown): value is SluiceEvent {
  if (typeof value !== 'object' || value === null) return false;
  const event = value as Record<string, unknown>;
  if (event.session === null) return event.type === 'file';
  return TYPES.has(event.type) && typeof event.session === 'string';
}

/** Whether a text is a place in the stream: `<milliseconds since 1970>-<number>`. */
export function isPlace(text: string): boolean {
  return /^\d{1,15}-\d{1,15}$/.test(text);
}

/** Whether a place comes before another. */
export function isBefore(place: string, other: string): boolean {
  const [ms = 0, number = 0] = place.split('-').map(Number);
  const [otherMs = 0, otherNumber = 0] = other.split('-').map(Number);
  return ms === otherMs ? number < otherNumber : ms < otherMs;
}

/** The place of the newest message; {@link FIRST_PLACE} where none is kept. */
export async function newestPlace(redis: Redis, prefix: string): Promise<string> {
  const [newest] = await redis.xrevrange(keptKey(prefix), '+', '-', 'COUNT', 1);
  return newest?.[0] ?? FIRST_PLACE;
}

/** Messages from a place on, that of the place itself first where it is still kept; at most `limit`. */
export async function keptFrom(redis: Redis, prefix: string, place: string, limit: number): Promise<Told[]> {
  const entries = await redis.xrange(keptKey(prefix), place, '+', 'COUNT', limit);
  return entries.map(([id, fields]) => ({ place: id, events: readEvents(fields[1] ?? '') }));
}

/** How many messages are kept. */
export async function keptCount(redis: Redis, prefix: string): Promise<number> {
  return redis.xlen(keptKey(prefix));
}
