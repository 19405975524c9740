import { spawn, spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

/** The project's folder. */
export const ROOT = resolve(__dirname, '../../..');
/** The image that scripts/ship.sh has built from this tree. */
export const IMAGE = 'sluice:0.1.0';

/** How a command ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command in the project's folder to its end; at most three minutes. */
export function tryCommand(
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Ended {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, ...env },
    timeout: 180_000,
    maxBuffer: 64 * 1024 * 1024,
  });
  return { code: status ?? 1, stdout, stderr: `${stderr}${error ? String(error) : ''}` };
}

/** The output of a command. @throws Error with all it said, where it fails */
export function command(name: string, args: readonly string[], env: Record<string, string> = {}): string {
  const { code, stdout, stderr } = tryCommand(name, args, env);
  if (code !== 0) throw new Error(`${name} ${args.join(' ')}: code ${code}\n${stdout}${stderr}`);
  return stdout.trim();
}

/** Pipes one command into another. */
export async function pipe(
  from: readonly [string, ...string[]],
  to: readonly [string, ...string[]],
  env: Record<string, string> = {},
): Promise<void> {
  const options = { env: { ...process.env, ...env } };
  const source = spawn(from[0], from.slice(1), { ...options, stdio: ['ignore', 'pipe', 'inherit'] });
  const sink = spawn(to[0], to.slice(1), { ...options, stdio: [source.stdout, 'ignore', 'inherit'] });
  const ends = [source, sink].map(
    (child) => new Promise<number>((end) => child.on('close', (code) => end(code ?? 1))),
  );
  const codes = await Promise.all(ends);
  if (codes.some((code) => code !== 0))
    throw new Error(`${from.join(' ')} | ${to.join(' ')}: ${codes.join(' | ')}`);
}
