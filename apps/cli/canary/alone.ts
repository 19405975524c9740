import { spawn } from 'node:child_process';

/** Outside a cluster: pods 0 and 1 as two processes at once, then pod 2, which prints the report. */
export async function runAllPods(
  folders: readonly [string, string],
  options: readonly string[],
): Promise<number> {
  const codes = await Promise.all([0, 1].map((index) => runOne(index, folders[index] ?? '', options, false)));
  if (codes.some((code) => code !== 0)) return 1;
  return runOne(2, folders[0], options, true);
}

function runOne(index: number, folder: string, options: readonly string[], shown: boolean): Promise<number> {
  // `--` because the folder is given by somebody
  const args = [process.argv[1] ?? '', 'canary', `--index=${index}`, ...options, '--', folder];
  const child = spawn(process.execPath, args, { stdio: ['ignore', shown ? 'inherit' : 'ignore', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}
