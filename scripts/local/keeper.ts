import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

/** How long each kind may take to end: the apps' grace time and 5 s, then what they stand on; milliseconds. */
const GRACE_MS = { app: 30_000, service: 10_000 };
type Kind = keyof typeof GRACE_MS;
/** How often it is looked whether they have ended; milliseconds. */
const LOOK_EVERY_MS = 100;

/**
 * Outlives `npm run local` where that is killed: hears on its input of each process that is started (`app 123`,
 * `service 124`) and ended (`gone 123`), and once the input closes it ends those that still run, the apps first.
 */
async function keep(): Promise<void> {
  const started = new Map<number, Kind>();
  for await (const line of createInterface({ input: process.stdin })) {
    const [word = '', pid = ''] = line.split(' ');
    if (word === 'app' || word === 'service') started.set(Number(pid), word);
    else started.delete(Number(pid));
  }
  for (const kind of ['app', 'service'] as const)
    await end(
      [...started].filter(([, its]) => its === kind).map(([pid]) => pid),
      GRACE_MS[kind],
    );
}

async function end(pids: readonly number[], graceMs: number): Promise<void> {
  const until = Date.now() + graceMs;
  let alive = pids.filter((pid) => signal(pid, 'SIGTERM'));
  while (alive.length > 0 && Date.now() < until) {
    await pause(LOOK_EVERY_MS);
    alive = alive.filter((pid) => signal(pid, 0));
  }
  for (const pid of alive) signal(pid, 'SIGKILL');
}

/** Signals a whole process group. @returns whether any of it is there */
function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-pid, name);
  } catch {
    return false;
  }
}

// Ctrl-C is for the one whose input this is
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => undefined);
void keep();
