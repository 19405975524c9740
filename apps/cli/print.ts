import { styleText } from 'node:util';
import { formatBytes } from '@app/shared/domain';

// Controls, lone surrogates, line separators, and marks that turn the direction of what follows them.
const UNSAFE =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffe\uffff\\]|\p{Surrogate}/gu;
const WIDE =
  /^(?:\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{20000}-\u{3fffd}])/u;
const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** A text from elsewhere, safe for a terminal: what could move the cursor or hide text is shown as `\u{1b}`, a backslash as two. */
export function escaped(text: string): string {
  return text.replace(UNSAFE, (character) =>
    character === '\\' ? '\\\\' : `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}

/** JSON for scripts: one line, without a raw control character, and the same value. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(UNSAFE, (character) =>
    character === '\\' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Columns that a text takes in a terminal. */
export function widthOf(text: string): number {
  let width = 0;
  for (const { segment } of segmenter.segment(text)) width += WIDE.test(segment) ? 2 : 1;
  return width;
}

/** A text cut to at most `width` columns; where something was cut it ends in `…`. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = '';
  let room = width - 1;
  for (const { segment } of segmenter.segment(text)) {
    room -= WIDE.test(segment) ? 2 : 1;
    if (room < 0) break;
    kept += segment;
  }
  return width < 1 ? '' : `${kept}…`;
}

/** A text filled with spaces, or cut, to exactly `width` columns. */
export function fitted(text: string, width: number): string {
  const whole = cut(text, width);
  return whole + ' '.repeat(Math.max(0, width - widthOf(whole)));
}

/** Rows as lines, each column as wide as its widest cell; numbers stand right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  const widths = head.map((title, i) =>
    Math.max(widthOf(title), ...rows.map((row) => widthOf(String(row[i] ?? '')))),
  );
  const line = (cells: readonly (string | number)[]) =>
    cells
      .map((cell, i) => {
        const width = widths[i] ?? 0;
        return typeof cell === 'number' ? String(cell).padStart(width) : fitted(cell, width);
      })
      .join('  ')
      .trimEnd();
  return [line(head), ...rows.map(line)];
}

/** A duration in its two largest units: `2 h 5 min`. */
export function formatSeconds(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}

/** Bytes a second. */
export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(Math.round(bytesPerSecond))}/s`;
}

/** Colours, where a person looks at a terminal and NO_COLOR does not forbid them: https://no-color.org */
export function colours(
  on: boolean,
): (style: 'bold' | 'dim' | 'red' | 'green' | 'yellow', text: string) => string {
  return (style, text) => (on ? styleText(style, text) : text);
}

/** Whether stdout takes colours. */
export function wantsColour(): boolean {
  return process.stdout.isTTY && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
}
