import { parseObject } from '../domain/index.js';

/** An event of `GET /v1/events`; its other members depend on its type. */
export type SluiceEvent = Readonly<Record<string, unknown>> & {
  readonly type: 'file' | 'progress' | 'session';
  readonly session: string;
};

const TYPES: ReadonlySet<unknown> = new Set(['file', 'progress', 'session']);

/**
 * Reads a message of the channel, which whoever reaches Redis can write to: an event, or an object with a list
 * of `events`.
 *
 * @returns those that are events
 */
export function readEvents(text: string): SluiceEvent[] {
  const message = parseObject(text);
  return (Array.isArray(message?.events) ? message.events : [message]).filter(isEvent);
}

function isEvent(value: unknown): value is SluiceEvent {
  if (typeof value !== 'object' || value === null) return false;
  const event = value as Record<string, unknown>;
  return TYPES.has(event.type) && typeof event.session === 'string';
}
