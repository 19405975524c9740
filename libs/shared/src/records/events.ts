import { parseObject } from '../domain/index.js';

/** An event of `GET /v1/events`; its other members depend on its type. */
export type SluiceEvent = Readonly<Record<string, unknown>> & {
  readonly type: 'file' | 'progress' | 'session';
  readonly session: string;
};

const TYPES: ReadonlySet<unknown> = new Set(['file', 'progress', 'session']);

/** Reads a message of the channel, which whoever reaches Redis can write to. @returns null where it is no event */
export function readEvent(text: string): SluiceEvent | null {
  const event = parseObject(text);
  return event !== null && TYPES.has(event.type) && typeof event.session === 'string'
    ? (event as SluiceEvent)
    : null;
}
