import type { FileAnswer, SluiceEvent } from './answers.js';

/** The span over which a rate is taken; milliseconds. */
const SPAN_MS = 10_000;

/** A file in flight, as the events tell it. Sizes in bytes, times in milliseconds since 1970. */
export interface Flight {
  readonly filename: string;
  /** `<date>/<encoded session>`. */
  readonly session: string;
  /** Null until the first progress. */
  size: number | null;
  bytes: number;
  /** What `bytes` counts: in the store, or copied from the volume while it is staging. */
  step?: string | undefined;
  /** Bytes at moments of the last {@link SPAN_MS}. */
  samples: { at: number; bytes: number }[];
}

/** The files in flight, and what ended while somebody watched. */
export class Flights {
  private readonly files = new Map<string, Flight>();
  done = 0;
  failed = 0;

  /** In the order in which they began. */
  list(): Flight[] {
    return [...this.files.values()];
  }

  /** Takes what the api says is in flight now; what it does not name is not. */
  seed(active: readonly FileAnswer[], now: number): void {
    const named = new Set<string>();
    for (const { filename, session, size, progress, step } of active) {
      if (!session) continue;
      const key = `${session.date_prefix}/${session.encoded_session}`;
      named.add(`${key}/${filename}`);
      const flight = this.begin(filename, key);
      flight.size = size;
      flight.step = step ?? undefined;
      if (progress) this.move(flight, progress.bytes, now);
    }
    for (const key of this.files.keys()) if (!named.has(key)) this.files.delete(key);
  }

  /** Takes an event. @returns the flight it is about, or null */
  take(event: SluiceEvent, now: number): Flight | null {
    const { filename, session } = event;
    if (filename === undefined || !session) return null;
    if (event.type === 'progress') {
      const flight = this.begin(filename, session);
      flight.size = event.size ?? flight.size;
      flight.step = event.step;
      this.move(flight, event.bytes ?? 0, now);
      return flight;
    }
    if (event.type !== 'file') return null;
    if (event.state === 'active') return this.begin(filename, session);
    if (event.state === 'done') this.done += 1;
    if (event.state === 'failed') this.failed += 1;
    const key = `${session}/${filename}`;
    const flight = this.files.get(key) ?? null;
    this.files.delete(key);
    return flight;
  }

  private begin(filename: string, session: string): Flight {
    const key = `${session}/${filename}`;
    const flight = this.files.get(key) ?? { filename, session, size: null, bytes: 0, samples: [] };
    this.files.set(key, flight);
    return flight;
  }

  private move(flight: Flight, bytes: number, now: number): void {
    // an attempt that began anew
    if (bytes < flight.bytes) flight.samples = [];
    flight.bytes = bytes;
    flight.samples = [...flight.samples.filter(({ at }) => at > now - SPAN_MS), { at: now, bytes }];
  }
}

/** Bytes a second over the last seconds; null where it is too early to tell. */
export function rateOf(flight: Flight, now: number): number | null {
  const first = flight.samples.find(({ at }) => at > now - SPAN_MS);
  if (!first || now - first.at < 500) return null;
  return ((flight.bytes - first.bytes) * 1000) / (now - first.at);
}

/** Seconds left at this rate; null where that is not known. */
export function secondsLeft(flight: Flight, rate: number | null): number | null {
  return flight.size === null || rate === null || rate <= 0 ? null : (flight.size - flight.bytes) / rate;
}
