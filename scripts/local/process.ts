import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';

/** A process of the local system, in a process group of its own, so that Ctrl-C in a terminal reaches only us. */
export class LocalProcess {
  readonly ended: Promise<void>;
  private readonly process: ChildProcess;

  /** @param log file that takes what it prints */
  constructor(
    readonly name: string,
    command: string,
    args: string[],
    env: Record<string, string>,
    private readonly log: string,
  ) {
    const file = openSync(log, 'w');
    this.process = spawn(command, args, { env, detached: true, stdio: ['ignore', file, file] });
    closeSync(file);
    this.ended = new Promise((resolve) => {
      this.process.on('exit', () => resolve());
      this.process.on('error', () => resolve());
    });
  }

  /** Whether it still runs. */
  get alive(): boolean {
    return this.process.pid !== undefined && this.process.exitCode === null && !this.process.signalCode;
  }

  /** Its process id; undefined where it could not be started. */
  get pid(): number | undefined {
    return this.process.pid;
  }

  /** The end of what it printed. */
  lastWords(): string {
    return readFileSync(this.log, 'utf8').trimEnd().split('\n').slice(-8).join('\n');
  }

  /** SIGTERM, and SIGKILL to the whole group where it does not end in time. Safe to repeat. */
  async stop(graceMs: number): Promise<void> {
    if (!this.alive) return;
    this.process.kill('SIGTERM');
    const late = setTimeout(() => this.kill(), graceMs);
    await this.ended;
    clearTimeout(late);
  }

  /** SIGKILL to the whole group, at once. */
  kill(): void {
    if (!this.alive || this.process.pid === undefined) return;
    try {
      process.kill(-this.process.pid, 'SIGKILL');
    } catch {
      // it ended by itself in this moment
    }
  }
}
