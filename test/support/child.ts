import { randomInt } from 'node:crypto';
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Those of this test file that still run: a file that is ended early takes them with it. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** The word by which the test run finds what a test left running. */
export function runWord(): Record<string, string> {
  const { SLUICE_TEST_RUN } = process.env;
  return SLUICE_TEST_RUN === undefined ? {} : { SLUICE_TEST_RUN };
}

/** A process of a test, with its output and its end. */
export class Child {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';
  private frozen = false;

  constructor(command: string, args: string[], env: Record<string, string>, cwd?: string) {
    this.process = spawn(command, args, {
      env: { ...runWord(), ...env },
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(this.process);
    // a test file that takes too long is sent SIGTERM, which by itself would skip 'exit'
    if (process.listenerCount('SIGTERM') === 0) process.once('SIGTERM', () => process.exit(143));
    this.process.on('exit', () => running.delete(this.process));
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.ended = new Promise((resolve, reject) => {
      this.process.on('close', (code, signal) => resolve({ code, signal }));
      this.process.on('error', reject);
    });
  }

  /** Whether it still runs. */
  get alive(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  /** Sends a signal. */
  signal(signal: NodeJS.Signals): void {
    if (this.alive) this.process.kill(signal);
  }

  /** SIGSTOP. */
  freeze(): void {
    this.frozen = true;
    this.signal('SIGSTOP');
  }

  /** SIGCONT. */
  thaw(): void {
    this.frozen = false;
    this.signal('SIGCONT');
  }

  /** SIGTERM, and its end. */
  async stop(): Promise<Ended> {
    if (this.frozen) this.thaw();
    this.signal('SIGTERM');
    return this.ended;
  }

  /** SIGKILL, and its end. */
  async kill(): Promise<Ended> {
    this.signal('SIGKILL');
    return this.ended;
  }

  /** Highest resident memory so far, bytes. */
  peakRssBytes(): number {
    const status = readFileSync(`/proc/${this.process.pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
  }

  /** The JSON lines of its log. */
  get logs(): Record<string, unknown>[] {
    return this.stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }
}

/** Below those that a system gives to outgoing connections (ip(7)): such a one could take the port before its server does. */
const PORTS = { from: 15_000, to: 32_000 };
/** A process takes so many at once. */
const BLOCK = 50;
let block: number[] = [];

/** A port that nobody listens on; another one at each call, and no other process of tests is given it while this one lives. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = block.shift();
    if (port === undefined) block = await takeBlock();
    else if (await isFree(port)) return port;
  }
}

/** The first port of a block is held for as long as this process lives, which keeps others off the rest. */
function takeBlock(): Promise<number[]> {
  const first = PORTS.from + BLOCK * randomInt((PORTS.to - PORTS.from) / BLOCK);
  const guard = createServer().unref();
  return new Promise((resolve) => {
    guard.on('error', () => resolve([]));
    guard.listen(first, '127.0.0.1', () =>
      resolve(Array.from({ length: BLOCK - 1 }, (_, i) => first + 1 + i)),
    );
  });
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
