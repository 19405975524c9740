import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What is known of a local system while it runs, for the next command; kept in `<root>/running.json`. */
export interface Running {
  /** Of `npm run local` itself. */
  readonly pid: number;
  readonly apiUrl: string;
  readonly accountUrl: string;
  readonly processes: readonly { readonly name: string; readonly pid: number; readonly command: string }[];
}

const FILE = 'running.json';

/** Notes what runs. */
export function noteRunning(root: string, running: Running): void {
  writeFileSync(join(root, FILE), JSON.stringify(running));
}

/** Forgets it: all has ended. Safe to repeat. */
export function forgetRunning(root: string): void {
  rmSync(join(root, FILE), { force: true });
}

/** What runs below `root`; null where nothing does. */
export function readRunning(root: string): Running | null {
  let noted: Running;
  try {
    noted = JSON.parse(readFileSync(join(root, FILE), 'utf8')) as Running;
  } catch {
    return null;
  }
  const processes = noted.processes.filter(({ pid, command }) => runs(pid, command));
  return runs(noted.pid, 'local') || processes.length > 0 ? { ...noted, processes } : null;
}

/**
 * Makes sure that no other system runs below `root`: two would share one Redis file and one drop folder.
 *
 * @throws Error that names the processes of the other one
 */
export function requireNoneRunning(root: string): void {
  const running = readRunning(root);
  if (!running) return;
  if (runs(running.pid, 'local'))
    throw new Error(`process ${running.pid} already runs the system in ${root}; end it first`);
  const names = running.processes.map(({ name, pid }) => `${name} (${pid})`).join(', ');
  const pids = running.processes.map(({ pid }) => pid).join(' ');
  throw new Error(
    `a system that was killed still ends in ${root}: ${names}. Try again in half a minute, or end them now: kill -9 ${pids}`,
  );
}

/** Whether a process is there and is the one that was noted: its number may be another's by now. */
function runs(pid: number, command: string): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    // on Linux; elsewhere the number must do
    const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return line.includes(command);
  } catch {
    return process.platform !== 'linux';
  }
}
