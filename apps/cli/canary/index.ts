import { randomUUID } from 'node:crypto';
import { InvalidArgumentError, type Command } from 'commander';
import { parseQuantity } from '@app/shared/config';
import { messageOf } from '@app/shared/domain';
import { escaped, table } from '../print.js';
import { runAllPods } from './alone.js';
import { CanaryFailure } from './meeting.js';
import { runPod, type PodReport } from './pods.js';

interface Options {
  readonly run?: string;
  readonly index?: number;
  readonly local?: string;
  readonly size: number;
  readonly age: number;
  readonly wait: number;
}

/**
 * `sluice canary <folder>`: proves that a shared volume does what Sluice relies on. Ends with code 0, or with 1 and the
 * reason. In a cluster the Job `storage-canary` runs it in three pods; elsewhere it runs all three parts itself.
 */
export function registerCanary(program: Command): void {
  program
    .command('canary')
    .description('prove that a shared volume does what Sluice relies on')
    .argument('<folder...>', 'the volume; two where one export is mounted twice on this machine')
    .option('--index <n>', 'this is pod 0, 1 or 2 of a run (without it: all three, here)', index)
    .option('--run <id>', 'names the run, the same in all its pods')
    .option('--local <folder>', "a folder on the pod's own disk, to compare the speed with")
    .option('--size <bytes>', 'how much each pod writes and reads', size, 256 * 1024 * 1024)
    .option('--age <seconds>', 'the age rule of the scanner, APP_MIN_FILE_AGE_S', seconds, 5)
    .option('--wait <seconds>', 'how long to wait for another pod', seconds, 120)
    .action(async (folders: string[], options: Options) => {
      process.exitCode = await run(folders, options);
    });
}

async function run(folders: readonly string[], options: Options): Promise<number> {
  const { index, size, age, wait, local } = options;
  const [folder = '', second = folder] = folders;
  const id = options.run ?? randomUUID();
  if (!/^[\w-]{1,64}$/.test(id))
    throw new InvalidArgumentError('--run takes letters, digits, _ and -, at most 64.');
  if (index === undefined) {
    const passed = [`--run=${id}`, `--size=${size}`, `--age=${age}`, `--wait=${wait}`];
    return runAllPods([folder, second], [...passed, ...(local ? [`--local=${local}`] : [])]);
  }
  try {
    const orders = { folder, run: id, index, waitMs: wait * 1000, ageMs: age * 1000, bytes: size };
    const reports = await runPod({ ...orders, local: local ?? null });
    for (const line of lines(reports)) process.stdout.write(`${line}\n`);
    process.stdout.write(
      index === 2 ? 'The volume is fit for Sluice.\n' : `Pod ${index} is done and found no fault.\n`,
    );
    return 0;
  } catch (error) {
    if (!(error instanceof CanaryFailure) && (error as NodeJS.ErrnoException).code === undefined) throw error;
    process.stderr.write(`sluice: the volume is not fit: ${escaped(messageOf(error))}\n`);
    return 1;
  }
}

function lines(reports: readonly PodReport[]): string[] {
  const nodes = new Set(reports.filter(({ index }) => index < 2).map(({ node }) => node));
  const rows = reports.flatMap(({ index, rows: found }) =>
    found.map(({ check, result }) => [`pod ${index}`, check, escaped(result)]),
  );
  return [
    ...reports.map(({ index, name, node, volume }) =>
      escaped(`pod ${index}: ${name} on ${node}, volume ${volume}`),
    ),
    ...(reports.length > 1 && nodes.size < 2
      ? ['both pods ran on one node: its caches hide what a second node would see']
      : []),
    ...table(['pod', 'check', 'result'], rows),
  ];
}

function index(text: string): number {
  if (!/^[012]$/.test(text)) throw new InvalidArgumentError('give 0, 1 or 2.');
  return Number(text);
}

function size(text: string): number {
  const bytes = parseQuantity(text);
  if (!bytes) throw new InvalidArgumentError('give bytes or a quantity such as 256Mi.');
  return bytes;
}

function seconds(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text) || Number(text) === 0)
    throw new InvalidArgumentError('give seconds, over 0.');
  return Number(text);
}
