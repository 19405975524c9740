import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { arch, cpus, loadavg, release, totalmem } from 'node:os';
import { WORK } from './places.js';

/** What a result depends on. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly filesystem: string;
  readonly node: string;
  readonly rclone: string;
  readonly redis: string;
  /** Load average over a minute when the run began. */
  readonly load: number;
}

/** The facts of this machine. */
export function readMachine(): Machine {
  const said = (command: string, ...args: string[]): string => {
    try {
      return execFileSync(command, args, { encoding: 'utf8' }).split('\n')[0] ?? '';
    } catch {
      return 'unknown';
    }
  };
  return {
    processor:
      cpus()[0]?.model.trim() ||
      /model name\s*: (.*)/.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ||
      arch(),
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    filesystem: said('stat', '-f', '-c', '%T', WORK),
    node: process.version,
    rclone: said('rclone', 'version'),
    redis: /v=(\S+)/.exec(said('redis-server', '--version'))?.[1] ?? 'unknown',
    load: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  };
}
