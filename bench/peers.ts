import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pause } from '../test/support/index.js';
import { endedChildrenCpuSeconds, peakMiB } from './meter.js';
import { WORK } from './places.js';
import type { Turn } from './results.js';
import { REST_MS, type Stock } from './stock.js';
import type { Sink } from './tools.js';

/** Copies at once, as our uploader has files at once by default. */
const COPIES = 4;

/** One step of a peer's job. */
interface Step {
  readonly command: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether it is the process whose memory counts. */
  readonly uploads?: true;
}

let turns = 0;

/**
 * rclone doing the equal job: copy to a staging disk, sync what was copied, `rclone move` with its MD5 from there, and
 * remove the source. rclone checks what it moved by size and its own stored MD5.
 */
export function rcloneTurn(stock: Stock, sink: Sink, transfers: number): Promise<Turn> {
  return peerTurn(stock, ({ source, staging, name }) => [
    {
      command: `find ${source} -type f -print0 | xargs -0 -P ${COPIES} -n ${batch(stock)} cp -p -t ${staging}`,
    },
    { command: `find ${staging} -type f -print0 | xargs -0 sync -d` },
    { command: `exec ${rcloneMove(staging, name, transfers)}`, env: rcloneEnv(sink), uploads: true },
    { command: `find ${source} -type f -delete` },
  ]);
}

/** The least that could be done with ordinary tools: copy, sync, one request a file without any checksum, remove. */
export function curlTurn(stock: Stock, sink: Sink): Promise<Turn> {
  return peerTurn(stock, ({ source, staging, name }) => {
    const url = `${sink.url}/bench/${name}`;
    const put = `curl -sS -o /dev/null -H 'x-ms-blob-type: BlockBlob' -H 'Expect:' -T ${staging}/$0 ${url}/$0`;
    return [
      {
        command: `ls ${source} | xargs -P ${COPIES} -n 1 sh -c 'cp ${source}/$0 ${staging}/$0 && sync -d ${staging}/$0 && ${put.replaceAll("'", '"')} && rm ${staging}/$0 ${source}/$0'`,
      },
    ];
  });
}

/** `rclone move` of a folder into the sink, as a shell command. */
export function rcloneMove(folder: string, name: string, transfers: number): string {
  return [
    `rclone move ${folder} sink:bench/${name} --config '' --transfers ${transfers} --checkers 8`,
    '--azureblob-chunk-size 8M --azureblob-upload-concurrency 8 --retries 1 --low-level-retries 1 --stats 0',
  ].join(' ');
}

/** What rclone must know of the sink. A shared access signature is the one way in which it takes any host and port. */
export function rcloneEnv(sink: Sink): Record<string, string> {
  return {
    RCLONE_CONFIG_SINK_TYPE: 'azureblob',
    RCLONE_CONFIG_SINK_SAS_URL: `${sink.url}?sv=2021-08-06&ss=b&srt=sco&sp=rwdlac&se=2099-01-01T00:00:00Z&sig=none`,
  };
}

async function peerTurn(
  stock: Stock,
  steps: (places: { source: string; staging: string; name: string }) => readonly Step[],
): Promise<Turn> {
  const name = `peer-${process.pid}-${++turns}`;
  const [source, staging] = [join(WORK, name, 'source'), join(WORK, name, 'staging')];
  stock.drop(source, name);
  mkdirSync(staging, { recursive: true });
  await pause(REST_MS);
  const cpu = endedChildrenCpuSeconds();
  const began = performance.now();
  let peak = 0;
  for (const step of steps({ source, staging, name })) peak = Math.max(peak, await run(step));
  const wallS = (performance.now() - began) / 1000;
  const cpuS = endedChildrenCpuSeconds() - cpu;
  const left = [source, staging].flatMap((folder) => readdirSync(folder));
  if (left.length > 0) throw new Error(`the peer left ${left.length} files behind`);
  rmSync(join(WORK, name), { recursive: true, force: true });
  return { wallS, cpuS, peakMiB: peak };
}

/** Runs one step. @returns the highest resident memory of its process, MiB, as last seen while it ran */
async function run({ command, env, uploads }: Step): Promise<number> {
  const child = spawn('bash', ['-c', command], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '/', ...env },
  });
  let [said, peak] = ['', 0];
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const looking = uploads && setInterval(() => (peak = Math.max(peak, peakMiB(child.pid ?? 0))), 20);
  const [code] = (await once(child, 'close')) as [number | null];
  if (looking) clearInterval(looking);
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${said.slice(-1000)}`);
  return peak;
}

/** Files of one `cp`. */
function batch(stock: Stock): number {
  return Math.max(1, Math.min(1000, Math.ceil(stock.count / COPIES)));
}
