import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { escaped } from '../../apps/cli/print.js';
import type { LocalSystem } from './system.js';

/** No more than one line of progress a file in so many milliseconds. */
const PROGRESS_EVERY_MS = 1000;
const LOOK_EVERY_MS = 500;
const RECONNECT_MS = 1000;

/** An event of `GET /v1/events`. */
interface Happened {
  readonly type: string;
  readonly filename?: string;
  readonly session?: string;
  readonly state?: string;
  readonly why?: string | null;
  readonly bytes?: number;
  readonly size?: number;
}

/** Prints what happens to each dropped file, until the signal. */
export async function showProgress(system: LocalSystem, signal: AbortSignal): Promise<void> {
  const shownAt = new Map<string, number>();
  const look = watchDrops(system.incoming);
  signal.addEventListener('abort', () => clearInterval(look));
  while (!signal.aborted) {
    try {
      for await (const event of events(system, signal)) await show(system, event, shownAt);
    } catch {
      // the api restarts, or this process stops
    }
    if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
  }
}

async function show(system: LocalSystem, event: Happened, shownAt: Map<string, number>): Promise<void> {
  const { type, filename = '', state = '', bytes = 0, size = 0 } = event;
  // a drop is told from the folder, at once and with its size; a reset tells of no file
  if (type === 'reset' || state === 'dropped') return;
  if (type === 'session') return line('session', `${event.session} is ${state}`);
  if (type === 'progress') {
    if (Date.now() - (shownAt.get(filename) ?? 0) < PROGRESS_EVERY_MS) return;
    shownAt.set(filename, Date.now());
    const percent = size > 0 ? Math.floor((100 * bytes) / size) : 100;
    return line('uploading', `${filename}  ${percent} %  ${inUnits(bytes)} of ${inUnits(size)}`);
  }
  if (state !== 'done') return line(state, `${filename}${event.why ? `  ${event.why}` : ''}`);
  shownAt.delete(filename);
  const file = await system.ask<{ size: number; md5: string | null; url: string | null }>(
    `/v1/files/${encodeURIComponent(filename)}`,
  );
  line('done', `${filename}  ${inUnits(file.size)}  MD5 ${file.md5 ?? '-'}  ${file.url ?? ''}`);
}

/** The parsed events of one connection; ends with it. */
async function* events(system: LocalSystem, signal: AbortSignal): AsyncGenerator<Happened> {
  const answer = await system.fetch('/v1/events', { signal });
  if (!answer.ok || !answer.body) throw new Error(`/v1/events: ${answer.status}`);
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of answer.body) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const one of lines) if (one.startsWith('data: ')) yield JSON.parse(one.slice(6)) as Happened;
  }
}

/** The scanner tells of a file once it rests; that it was seen at all is told from the folder. */
function watchDrops(incoming: string): NodeJS.Timeout {
  let known = new Set<string>();
  return setInterval(() => {
    const names = readdirSync(incoming).filter((name) => !name.startsWith('.'));
    for (const name of names) {
      const size = known.has(name) ? null : statSync(join(incoming, name), { throwIfNoEntry: false })?.size;
      if (size !== null && size !== undefined) line('dropped', `${name}  ${inUnits(size)}`);
    }
    known = new Set(names);
  }, LOOK_EVERY_MS);
}

function line(word: string, text: string): void {
  // names come from whoever drops files
  console.log(`${new Date().toISOString().slice(11, 19)}  ${word.padEnd(9)}  ${escaped(text)}`);
}

/** Bytes for people. */
export function inUnits(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const power = Math.min(4, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toFixed(1)} ${['KiB', 'MiB', 'GiB', 'TiB'][power - 1]}`;
}
