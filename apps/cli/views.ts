import { formatBytes } from '@app/shared/domain';
import type { Session, SluiceEvent } from './answers.js';
import { draw } from './draw.js';
import { rateOf, secondsLeft, type Flight, type Flights } from './flights.js';
import { escaped, formatRate, formatSeconds, wantsColour } from './print.js';

/** How often the screen is drawn at most; milliseconds. */
const FRAME_MS = 200;
/** How often a line tells a file's progress; milliseconds. */
const LINE_MS = 5_000;

/** What no event tells. */
export interface Facts {
  readonly session?: Session | null;
  readonly problems?: readonly string[];
  /** Why nothing is heard now; null when all is heard. */
  readonly lost?: string | null;
}

/** Where the watching is shown. */
export interface View {
  take(event: SluiceEvent, flight: Flight | null): void;
  show(facts: Facts): void;
  /** Leaves the terminal as it was; safe to repeat. */
  end(): void;
}

/** A terminal: its alternate screen is drawn from its corner, so a change of size does no harm. */
export class ScreenView implements View {
  private facts: Required<Facts> = { session: null, problems: [], lost: null };
  private ended = false;
  private readonly timer: NodeJS.Timeout;
  private readonly redraw = (): void => this.draw();

  constructor(private readonly flights: Flights) {
    process.stdout.write('\x1b[?1049h\x1b[?25l');
    // whatever ends this process, the cursor comes back
    process.once('exit', () => this.end());
    process.stdout.on('resize', this.redraw);
    this.timer = setInterval(this.redraw, FRAME_MS);
    this.draw();
  }

  take(): void {
    // drawn with the next frame
  }

  show(facts: Facts): void {
    this.facts = { ...this.facts, ...facts };
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    clearInterval(this.timer);
    process.stdout.off('resize', this.redraw);
    const { done, failed } = this.flights;
    process.stdout.write(`\x1b[?25h\x1b[?1049l${done} done and ${failed} quarantined while you watched.\n`);
  }

  private draw(): void {
    // a terminal that reads nothing gets no more frames
    if (this.ended || process.stdout.writableLength > 0) return;
    const { columns, rows } = process.stdout;
    const screen = { columns: columns || 80, rows: rows || 24, colour: wantsColour() };
    const { done, failed } = this.flights;
    const lines = draw({ ...this.facts, flights: this.flights.list(), done, failed }, screen, Date.now());
    // each line is cleared behind its end, then all below: nothing flickers
    process.stdout.write(`\x1b[H${lines.join('\x1b[K\r\n')}\x1b[K\x1b[J`);
  }
}

/** No terminal: a line for each thing that happens. */
export class LineView implements View {
  private readonly toldAt = new Map<string, number>();
  private lost: string | null = null;
  private problems: readonly string[] = [];

  take(event: SluiceEvent, flight: Flight | null): void {
    const name = event.session ? `${event.session}/${event.filename}` : String(event.filename);
    if (event.type === 'progress') {
      const told = this.toldAt.get(name) ?? 0;
      if (flight && Date.now() - told >= LINE_MS) {
        this.toldAt.set(name, Date.now());
        this.line('progress', `${name}: ${progressOf(flight)}`);
      }
      return;
    }
    if (event.type === 'session') return this.line(event.state ?? 'session', String(event.session));
    if (event.type === 'reset') return this.line('reset', event.why ?? '');
    this.toldAt.delete(name);
    this.line(event.state ?? event.type, event.why ? `${name}: ${event.why}` : name);
  }

  show({ lost, problems }: Facts): void {
    if (lost !== undefined && lost !== this.lost) {
      if (lost !== null) this.line('lost', lost);
      this.lost = lost;
    }
    if (problems) {
      // an age in a sentence grows and makes it no new one
      const ageless = problems.map((problem) => problem.replace(/\d+ s\b/g, ''));
      problems.forEach((problem, i) => {
        if (!this.problems.includes(ageless[i] ?? '')) this.line('problem', problem);
      });
      this.problems = ageless;
    }
  }

  end(): void {
    // nothing to restore
  }

  private line(what: string, text: string): void {
    process.stdout.write(`${new Date().toISOString()} ${what.padEnd(8)} ${escaped(text)}\n`);
  }
}

function progressOf(flight: Flight): string {
  const now = Date.now();
  const rate = rateOf(flight, now);
  const left = secondsLeft(flight, rate);
  return [
    `${flight.step ? `${flight.step} ` : ''}${formatBytes(flight.bytes)} of ${flight.size === null ? 'unknown' : formatBytes(flight.size)}`,
    ...(rate === null ? [] : [formatRate(rate)]),
    ...(left === null ? [] : [`${formatSeconds(left)} left`]),
  ].join(', ');
}
