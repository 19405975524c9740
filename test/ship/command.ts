import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

/** The project's folder. */
export const ROOT = resolve(__dirname, '../../..');
/** The image that scripts/ship.sh has built from this tree. */
export const IMAGE = 'sluice:0.2.0';
/** The public images beside it, as every file names them. */
export const VALKEY = 'valkey/valkey:8.1';
/** Also under its whole name in podman. */
export const AZURITE = 'mcr.microsoft.com/azure-storage/azurite:3.35.0';

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
