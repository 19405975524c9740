import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT, WORK } from '../places.js';
import { Stack } from '../stack.js';
import { Stock } from '../stock.js';
import type { Run, Subcommand } from '../subcommand.js';
import { Sink } from '../tools.js';

/** What is read of a `.cpuprofile`: https://chromedevtools.github.io/devtools-protocol/tot/Profiler/ */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { functionName: string; url: string };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const SHOWN = 10;
/** A thread in one of these does nothing; the last two wait for another thread's bell in shared memory. */
const IDLE = /^\((?:idle|root)\)$|^(?:rang|settled) \(libs\/shared\/src\/files\/hash-memory/;

/** Where an uploader's time goes: its threads' profiles, taken by Node itself, for large and for small files. */
export const profile: Subcommand = async ({ small }: Run) => {
  const works: { title: string; files: number; fileBytes: number; env: Record<string, string> }[] = [
    { title: 'large', files: 8, fileBytes: (small ? 16 : 256) * 2 ** 20, env: {} },
    {
      title: 'small',
      files: small ? 300 : 3000,
      fileBytes: 4096,
      env: { APP_WORKER_CONCURRENCY: '32', APP_POLL_INTERVAL_S: '0.2', APP_MAX_QUEUE_SIZE: '10000' },
    },
  ];
  const notes: string[] = [];
  for (const { title, files, fileBytes, env } of works) {
    const folder = join(WORK, `profile-${title}`);
    mkdirSync(folder, { recursive: true });
    const stock = new Stock(files, fileBytes);
    const sink = await Sink.start();
    const nodeArgs = ['--cpu-prof', `--cpu-prof-dir=${folder}`, '--cpu-prof-interval', '500'];
    const stack = await Stack.start({ sink, env, nodeArgs });
    for (let turn = 0; turn < 3; turn++) await stack.turn(stock);
    await stack.end();
    await sink.end();
    stock.end();
    const profiles = readdirSync(folder).map((name) => read(join(folder, name)));
    for (const { busyMs, top } of profiles
      .filter(({ busyMs }) => busyMs > 300)
      .sort((a, b) => b.busyMs - a.busyMs)) {
      const note = `${title}, a thread busy for ${(busyMs / 1000).toFixed(2)} s: ${top.join(', ')}.`;
      console.log(note);
      notes.push(note);
    }
  }
  return { tables: [], goals: [], notes };
};

/** The functions in which a thread spent most of its time, start-up included. */
function read(path: string): { busyMs: number; top: string[] } {
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(path, 'utf8')) as CpuProfile;
  const names = new Map(
    nodes.map(({ id, callFrame }) => [id, nameOf(callFrame.functionName, callFrame.url)]),
  );
  const spent = new Map<string, number>();
  for (const [i, id] of samples.entries()) {
    const name = names.get(id) ?? '';
    spent.set(name, (spent.get(name) ?? 0) + (timeDeltas[i] ?? 0) / 1000);
  }
  for (const name of spent.keys()) if (IDLE.test(name)) spent.delete(name);
  const busyMs = [...spent.values()].reduce((sum, ms) => sum + ms, 0);
  const top = [...spent].sort(([, a], [, b]) => b - a).slice(0, SHOWN);
  return { busyMs, top: top.map(([name, ms]) => `${name} ${((100 * ms) / busyMs).toFixed(1)} %`) };
}

function nameOf(name: string, url: string): string {
  const file = url
    .replace(/^file:\/\//, '')
    .replace(`${PROJECT}/dist/`, '')
    .replace(/.*node_modules\//, '');
  return file ? `${name || '(anonymous)'} (${file})` : name || '(anonymous)';
}
