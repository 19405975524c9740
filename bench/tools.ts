import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Child, freePort, until } from '../test/support/index.js';
import { PROJECT, WORK } from './places.js';

/** The package that brings each command, by package manager; where it is not the command's own name. */
const PACKAGES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  cc: { 'apt-get': 'gcc libc6-dev', dnf: 'gcc glibc-devel', apk: 'gcc musl-dev', brew: 'gcc' },
  'linux.uml': { 'apt-get': 'user-mode-linux' },
  exportfs: { 'apt-get': 'nfs-kernel-server nfs-common' },
  modprobe: { 'apt-get': 'kmod' },
  ip: { 'apt-get': 'iproute2' },
  'redis-server': { dnf: 'redis', apk: 'redis', brew: 'redis' },
};
const MANAGERS: Readonly<Record<string, readonly string[]>> = {
  'apt-get': ['install', '-y', '--no-install-recommends'],
  dnf: ['install', '-y'],
  apk: ['add'],
  brew: ['install'],
};

/** Makes sure that commands are there; installs what is missing from the system's packages. @throws Error that names what to install */
export function need(...commands: string[]): void {
  const missing = commands.filter((command) => !isThere(command));
  if (missing.length === 0) return;
  const manager = Object.keys(MANAGERS).find(isThere);
  if (!manager) throw new Error(`install ${missing.join(' and ')}: no package manager was found that could`);
  const packages = missing.flatMap((command) => (PACKAGES[command]?.[manager] ?? command).split(' '));
  const sudo = process.getuid?.() === 0 || manager === 'brew' ? [] : ['sudo'];
  const run = (...args: string[]): void => {
    const [command = '', ...rest] = [...sudo, manager, ...args];
    if (spawnSync(command, rest, { stdio: ['ignore', 2, 2] }).status !== 0)
      throw new Error(`${[command, ...rest].join(' ')} failed; install ${packages.join(' and ')} by hand`);
  };
  if (manager === 'apt-get') run('update', '-q');
  run(...(MANAGERS[manager] ?? []), ...packages);
}

/** Whether a command is there. */
export function isThere(command: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' }).status === 0;
}

/** The store that drops its bytes; see blob-sink.c. */
export class Sink {
  private constructor(
    readonly child: Child,
    readonly port: number,
  ) {}

  /** Compiles it where that is needed, and starts it. */
  static async start(delayUs = 0, bytesPerSecond = 0): Promise<Sink> {
    const source = join(PROJECT, 'bench/blob-sink.c');
    const program = join(WORK, 'blob-sink');
    if (!existsSync(program) || statSync(program).mtimeMs < statSync(source).mtimeMs) {
      mkdirSync(WORK, { recursive: true });
      execFileSync('cc', ['-O2', '-w', '-o', program, source]);
    }
    const port = await freePort();
    const args = [String(port), String(delayUs), ...(bytesPerSecond > 0 ? [String(bytesPerSecond)] : [])];
    const sink = new Sink(new Child(program, args, {}), port);
    await until('the sink answers', () => sink.stats());
    return sink;
  }

  /** The account's URL. */
  get url(): string {
    return `http://127.0.0.1:${this.port}/devstoreaccount1`;
  }

  /** What it was asked so far. */
  async stats(): Promise<{ requests: number; puts: number; bytes: number }> {
    const answer = await fetch(`http://127.0.0.1:${this.port}/__stats`);
    return (await answer.json()) as { requests: number; puts: number; bytes: number };
  }

  async end(): Promise<void> {
    await this.child.kill();
  }
}
