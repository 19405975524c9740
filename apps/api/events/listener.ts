import type { Response } from 'express';
import {
  EVENTS_KEPT,
  FIRST_PLACE,
  isBefore,
  isPlace,
  type SluiceEvent,
  type Told,
} from '@app/shared/records';

/** A client that is so far behind is let go; bytes. */
const BEHIND_MAX = 1024 * 1024;

/** Where somebody's knowledge ends: behind a message, or behind so many of its events. */
export interface Heard {
  readonly place: string;
  /** Events of that message that were heard; null: all of them. */
  readonly events: number | null;
}

/** Reads an id that a {@link Listener} gave. @returns null where it is none */
export function readEventId(id: string): Heard | null {
  const [, place = '', events] = /^(\d+-\d+)(?:\.(\d{1,9}))?$/.exec(id) ?? [];
  return isPlace(place) ? { place, events: events === undefined ? null : Number(events) } : null;
}

/** One client of the event stream: what it was told, and what waits until it was told what came before. */
export class Listener {
  /** Where its knowledge ends. */
  heard: Heard | null;
  /** Messages that came meanwhile; null while it is up to date. */
  private waiting: Told[] | null = [];
  /** Of the last message that it was told here. */
  private place: string | null = null;

  /** @param heard null where it knows of nothing yet, and wants to hear what comes */
  constructor(
    private readonly response: Response,
    heard: Heard | null,
  ) {
    this.heard = heard;
  }

  get isOpen(): boolean {
    return !this.response.destroyed && !this.response.writableEnded;
  }

  /** Whether a catch-up is under way. */
  get isBehind(): boolean {
    return this.waiting !== null;
  }

  /** From now on messages wait until {@link upToDate}. */
  fallBehind(): void {
    this.waiting ??= [];
  }

  /** What it does not know begins behind this place; what came since it connected is told in any case. */
  startAt(place: string): void {
    this.heard = { place, events: null };
    // the client remembers an id without data, and shows it to nobody
    this.write(`id: ${place}\n\n`);
  }

  /** What it does not know is not kept any more, or not all of it: it is told all that is. */
  reset(): void {
    this.heard = { place: FIRST_PLACE, events: 0 };
    this.place = null;
    const why = 'events before this one are no longer kept; ask GET /v1/status for what is now';
    this.write(`event: reset\ndata: ${JSON.stringify({ type: 'reset', why })}\n\n`);
  }

  /** A message that just came. */
  hear(message: Told): void {
    if (this.waiting === null) return this.tell(message);
    this.waiting.push(message);
    if (this.waiting.length > EVENTS_KEPT) this.response.destroy();
  }

  /** Tells the events of a message from the given one on, unless it was told before. */
  tell({ place, events }: Told, from = 0): void {
    if (place !== null && this.place !== null && !isBefore(this.place, place)) return;
    events.forEach((event, i) => {
      if (i >= from) this.write(textOf(event, place && idOf(place, i, events.length)));
    });
    if (place === null) return;
    this.place = place;
    this.heard = { place, events: null };
  }

  /** It was told all that came before. */
  upToDate(): void {
    const waiting = this.waiting ?? [];
    this.waiting = null;
    for (const message of waiting) this.tell(message);
  }

  /** Sends a text; lets a client go that does not read. */
  write(text: string): void {
    if (this.response.writableLength > BEHIND_MAX) this.response.destroy();
    else this.response.write(text);
  }

  /** Waits until the client took what was sent, or is gone. */
  async drained(): Promise<void> {
    if (!this.response.writableNeedDrain) return;
    await new Promise<void>((resolve) => {
      const over = (): void => {
        this.response.off('drain', over).off('close', over);
        resolve();
      };
      this.response.on('drain', over).on('close', over);
    });
  }

  end(): void {
    this.response.end();
  }
}

/** Each event has an id of its own; that of a message's last one is the message's place. */
function idOf(place: string, index: number, count: number): string {
  return index === count - 1 ? place : `${place}.${index + 1}`;
}

function textOf(event: SluiceEvent, id: string | null): string {
  // written anew: a line break of another's text would end the line of the stream
  return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n${id === null ? '' : `id: ${id}\n`}\n`;
}
