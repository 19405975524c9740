import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { setTimeout as pause } from 'node:timers/promises';

/** No file of tests may take longer, waits for open handles included; milliseconds. */
const FILE_LIMIT_MS = 600_000;
/** The same where each file has the machine to itself and may boot a kernel. */
const ALONE_LIMIT_MS = 900_000;
/** Files of tests at once; each has its own services, and the machine of CI has two processors. */
const AT_ONCE = 3;
/** So many files of tests are named with their durations. */
const SLOWEST = 10;
/** How long a process that was just killed may take to go. */
const GOING_MS = 3000;

/** Runs the test files below the folders (or the files) named on the command line, and says how many passed. */
async function main(args: string[]): Promise<void> {
  const alone = args.includes('--one-by-one');
  const files = args.filter((arg) => !arg.startsWith('--')).flatMap(testFiles);
  if (files.length === 0) {
    console.error('no test file found; is the project built?');
    process.exit(1);
  }
  // whatever a test starts inherits this word, and is found by it
  const word = `SLUICE_TEST_RUN=${randomBytes(8).toString('hex')}`;
  process.env.SLUICE_TEST_RUN = word.split('=')[1];
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      for (const { pid } of runningWith(word)) kill(pid);
      process.exit(1);
    });
  let passed = 0;
  const failures: string[] = [];
  const durations = new Map<string, number>();
  const stream = run({
    files,
    concurrency: alone ? 1 : AT_ONCE,
    timeout: alone ? ALONE_LIMIT_MS : FILE_LIMIT_MS,
  });
  stream.on('test:pass', ({ name, details, skip, todo, file, nesting }) => {
    if (nesting === 0) took(durations, file, details.duration_ms);
    if (details.type === 'suite') return;
    if (skip === undefined && todo === undefined) passed += 1;
    else failures.push(`${name} (was not run)`);
  });
  stream.on('test:fail', ({ name, details, file, nesting }) => {
    if (nesting === 0) took(durations, file, details.duration_ms);
    if (details.type !== 'suite') failures.push(name);
  });
  const report = stream.compose(new spec()) as unknown as NodeJS.ReadableStream;
  for await (const text of report) process.stdout.write(text);
  for (const line of slowest(durations)) console.log(line);
  for (const process of await leftOver(word)) failures.push(`left running: ${process}`);
  for (const name of failures) console.log(`failed: ${name}`);
  console.log(`${passed} passed, ${failures.length} failed`);
  process.exitCode = failures.length > 0 || passed === 0 ? 1 : 0;
}

/** Adds the duration of a test, in milliseconds, to that of its file. */
function took(durations: Map<string, number>, file: string | undefined, ms: number): void {
  if (file !== undefined) durations.set(file, (durations.get(file) ?? 0) + ms);
}

/** Where the time goes: the files whose tests took longest, several at once. */
function slowest(durations: ReadonlyMap<string, number>): string[] {
  return [...durations]
    .sort(([, a], [, b]) => b - a)
    .slice(0, SLOWEST)
    .map(([file, ms]) => `${(ms / 1000).toFixed(0).padStart(5)} s  ${relative(process.cwd(), file)}`);
}

function testFiles(path: string): string[] {
  if (!existsSync(path)) return [];
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.js'))
    .sort()
    .map((name) => join(path, name));
}

/** Ends what tests left running, where the system shows the environment of a process. @returns their command lines */
async function leftOver(word: string): Promise<string[]> {
  const end = Date.now() + GOING_MS;
  let found = runningWith(word);
  while (found.length > 0 && Date.now() < end) {
    await pause(100);
    found = runningWith(word);
  }
  for (const { pid } of found) kill(pid);
  return found.map(({ command }) => command);
}

function runningWith(word: string): { pid: number; command: string }[] {
  if (!existsSync('/proc/self/environ')) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        if (!readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(word)) return [];
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').slice(0, 120);
        return [{ pid: Number(pid), command }];
      } catch {
        return []; // it has ended, or belongs to somebody else
      }
    });
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has just ended by itself
  }
}

void main(process.argv.slice(2));
