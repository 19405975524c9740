import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { runWord } from './child.js';

const ROOT = resolve(__dirname, '../../..');

/** How a script in the lab ended, and what it printed. */
export interface LabResult {
  /** 0: it passed; 124: the time was up; 125: the lab did not boot. */
  readonly code: number;
  readonly output: string;
  /** The lines of `output` that are JSON objects: what the script reported. */
  readonly reports: Record<string, unknown>[];
}

/** Settings of {@link runInNfsLab}. */
export interface LabOptions {
  /** Seconds after which the lab is ended; default 300. */
  readonly limitS?: number;
  /** Memory of the lab, MiB; default 3072. */
  readonly memoryMib?: number;
  readonly args?: readonly string[];
  readonly env?: Record<string, string>;
}

/**
 * Runs a compiled script on a real NFS: `test/nfs-lab.sh` boots a kernel with an NFS 4.1 server and two mounts,
 * `NFS_A` and `NFS_B`. Needs root and the packages that `scripts/setup.sh faults` installs; about 5 s to boot.
 * The script starts Redis, Azurite and the apps itself, inside: loopback of the lab is not this machine's.
 *
 * @param script below the project's folder, for instance `dist/test/faults/lab/first-file.js`
 */
export function runInNfsLab(script: string, options: LabOptions = {}): Promise<LabResult> {
  const { limitS = 300, memoryMib = 3072, args = [], env = {} } = options;
  const child = spawn(
    'bash',
    ['test/nfs-lab.sh', '-m', `${memoryMib}`, '-t', `${limitS}`, process.execPath, script, ...args],
    {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...runWord(), PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '/root', ...env },
    },
  );
  // a test that is ended early must not leave a kernel running
  const end = (): void => void child.kill('SIGTERM');
  process.once('exit', end);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (code) => {
      process.off('exit', end);
      done({ code: code ?? 143, output, reports: output.split('\n').flatMap(reportOf) });
    });
  });
}

function reportOf(line: string): Record<string, unknown>[] {
  if (!line.startsWith('{')) return [];
  try {
    return [JSON.parse(line) as Record<string, unknown>];
  } catch {
    return []; // a line that the end of the lab cut
  }
}
