import { formatBytes } from '@app/shared/domain';
import type { Session } from './answers.js';
import { rateOf, secondsLeft, type Flight } from './flights.js';
import { colours, cut, escaped, fitted, formatRate, formatSeconds } from './print.js';

/** What a picture shows. */
export interface Picture {
  /** The active session, or the one that drains; null where there is none. */
  readonly session: Session | null;
  readonly flights: readonly Flight[];
  /** Ended while somebody watched. */
  readonly done: number;
  readonly failed: number;
  readonly problems: readonly string[];
  /** Why nothing is heard now, or null. */
  readonly lost: string | null;
}

/** The terminal. */
export interface Screen {
  readonly columns: number;
  readonly rows: number;
  readonly colour: boolean;
}

/** The most problems that are shown. */
const PROBLEMS = 3;

/** The picture as lines: at most `rows` of them, none wider than `columns`, whatever the names are. `now` in milliseconds. */
export function draw(picture: Picture, { columns, rows, colour }: Screen, now: number): string[] {
  const paint = colours(colour);
  const plain = (text: string) => cut(text, columns);
  const { flights, problems, session } = picture;
  const head = [
    paint('bold', plain(sessionLine(session))),
    ...(session ? [plain(bytesLine(session))] : []),
    plain(`${picture.done} done and ${picture.failed} quarantined while you watch; Ctrl-C ends the watching`),
    ...(picture.lost === null ? [] : [paint('yellow', plain(escaped(picture.lost)))]),
  ];
  const foot = problems.slice(0, PROBLEMS).map((problem) => paint('red', plain(`! ${escaped(problem)}`)));
  if (problems.length > PROBLEMS)
    foot.push(plain(`and ${problems.length - PROBLEMS} more problems: sluice status`));
  const room = Math.max(0, rows - head.length - foot.length);
  const shown = flights.length <= room ? flights.length : Math.max(0, room - 1);
  const bars = flights.slice(0, shown).map((flight) => flightLine(flight, columns, now));
  if (shown < flights.length) bars.push(plain(`and ${flights.length - shown} more in flight`));
  return [...head, ...bars, ...foot].slice(0, rows);
}

function sessionLine(session: Session | null): string {
  if (!session) return 'No session is active.';
  const { queued, active, delayed, done, failed } = session.files;
  return `Session ${escaped(session.session_name)} (${session.state}): ${queued} queued, ${active} active, ${delayed} delayed, ${done} done, ${failed} failed`;
}

function bytesLine({ bytes, rate_bytes_per_s, eta_s }: Session): string {
  const left = eta_s === null ? 'time left not known' : `${formatSeconds(eta_s)} left`;
  return `${formatBytes(bytes.done + (bytes.in_flight ?? 0))} of ${formatBytes(bytes.total)}, ${formatRate(rate_bytes_per_s)}, ${left}`;
}

/** `name  [####----]  40 %  12.0 MiB/s  5 s left`; on a narrow terminal the name and the bar give way first. */
export function flightLine(flight: Flight, columns: number, now: number): string {
  const share = shareOf(flight);
  const rate = rateOf(flight, now);
  const left = secondsLeft(flight, rate);
  const facts = [
    `${Math.floor(share * 100)} %`.padStart(5),
    (rate === null ? '' : formatRate(rate)).padStart(12),
    left === null ? '' : `${formatSeconds(left)} left`,
  ].join(' ');
  const factsWidth = 36;
  const barWidth = columns >= 80 ? 20 : columns >= 60 ? 10 : 0;
  const nameWidth = columns - factsWidth - (barWidth > 0 ? barWidth + 3 : 0) - 1;
  // bytes that are no traffic to the store yet, or not any more
  const name = `${flight.step && flight.step !== 'uploading' ? `${flight.step} ` : ''}${escaped(flight.filename)}`;
  if (nameWidth < 8) return cut(`${Math.floor(share * 100)} % ${name}`, columns);
  const full = Math.floor(share * barWidth);
  const bar = barWidth > 0 ? `[${'#'.repeat(full)}${'-'.repeat(barWidth - full)}] ` : '';
  return cut(`${fitted(name, nameWidth)} ${bar}${facts}`.trimEnd(), columns);
}

function shareOf({ bytes, size }: Flight): number {
  return size === null || size === 0 ? 0 : Math.min(1, bytes / size);
}
