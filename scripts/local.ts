import { rmSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { escaped } from '../apps/cli/print.js';
import { demo } from './local/demo.js';
import { whatIsLeft } from './local/left.js';
import { listBlobs } from './local/list.js';
import { showProgress } from './local/show.js';
import { LocalSystem } from './local/system.js';

const SAME_SIGNAL_MS = 1000;
const HELP = `npm run local -- [OPTION ...]   the whole system on this machine, below .local/

  --session NAME   start this session; without it a session that was active goes on, or a new one starts
  --folder DIR     keep everything below this folder instead of .local
  --port N         port of the API; default 8000, or any free one where that is taken
  --demo           move a few files, compare every byte, and end
  --list           print what the store of the running system holds, and end
  --help           print this, and end

Settings of the apps are taken from the environment (APP_...). Ctrl-C ends everything.`;

/** `npm run local`: the whole system on this machine, below `.local/`; `--demo` moves a few files and ends. */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      demo: { type: 'boolean' },
      folder: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
      list: { type: 'boolean' },
      port: { type: 'string' },
      session: { type: 'string' },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const given = values.port ?? process.env.APP_PORT;
  if (given !== undefined && !/^\d{1,5}$/.test(given)) throw new Error(`--port ${given} is no port`);
  const folder = resolve(values.folder ?? join(__dirname, '../..', '.local'));
  // a demo starts from nothing and leaves what is dropped by hand alone
  const root = values.demo ? join(folder, 'demo') : folder;
  if (values.list) {
    await listBlobs(root);
    return 0;
  }
  const system = await LocalSystem.prepare(root, given === undefined ? null : Number(given));
  const ended = new AbortController();
  let toldAt = 0;
  onEnd(() => {
    // one Ctrl-C comes twice: from the terminal and from npm
    if (Date.now() - toldAt < SAME_SIGNAL_MS) return;
    toldAt = Date.now();
    if (ended.signal.aborted) system.kill();
    else console.log('\nstopping; running files may finish (once more ends all at once)');
    ended.abort();
  });
  try {
    await Promise.race([system.start(), aborted(ended.signal)]);
    if (ended.signal.aborted) return 0;
    const prefix = await session(system, values.session ?? (values.demo ? 'demo' : null));
    greet(system, prefix);
    if (!values.demo) console.log('Copy files into the drop folder; Ctrl-C ends everything.\n');
    const shown = showProgress(system, ended.signal);
    if (values.demo)
      return await Promise.race([runDemo(system, prefix), aborted(ended.signal).then(() => 1)]);
    await Promise.race([shown, fallen(system, ended.signal)]);
    return 0;
  } finally {
    ended.abort();
    await system.stop();
    if (values.demo)
      for (const kept of ['nfs', 'azurite', 'redis', 'staging'])
        rmSync(join(root, kept), { recursive: true, force: true });
    else console.log(whatIsLeft(root));
  }
}

/**
 * Starts the session of this name; without one the session that is active goes on, or a new one starts.
 *
 * @returns its key
 */
async function session(system: LocalSystem, name: string | null): Promise<string> {
  const { items } = await system.ask<{ items: Session[] }>('/v1/sessions?limit=1000');
  const active = items.find(({ state }) => state === 'active');
  if (active && name === null) return keyOf(active);
  const started = await system.ask<Session>('/v1/watch/start', name === null ? {} : { session_name: name });
  if (active && keyOf(active) !== keyOf(started))
    console.log(`This ends the session ${escaped(active.session_name)}, which was active.`);
  return keyOf(started);
}

interface Session {
  readonly date_prefix: string;
  readonly encoded_session: string;
  readonly session_name: string;
  readonly state?: string;
}

function keyOf({ date_prefix, encoded_session }: Session): string {
  return `${date_prefix}/${encoded_session}`;
}

async function runDemo(system: LocalSystem, prefix: string): Promise<number> {
  const whole = await demo(system, prefix);
  console.log(whole ? 'all files arrived as they were dropped' : `not all files arrived; see ${system.logs}`);
  return whole ? 0 : 1;
}

function greet(system: LocalSystem, prefix: string): void {
  console.log(`
  Page          ${system.apiUrl}/
  API           ${system.apiUrl}/v1/status
  Swagger       ${system.apiUrl}/docs
  Bull Board    ${system.apiUrl}/admin/queues
  Store         npm run local -- --list   (in another terminal)
  Logs          ${relative('.', system.logs)}
  Session       ${prefix}
  Drop folder   ${relative('.', system.incoming)}
`);
}

/** Calls back on Ctrl-C and SIGTERM, and once npm has gone without a word. */
function onEnd(end: () => void): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, end);
  const parent = process.ppid;
  if (process.env.npm_lifecycle_event === undefined) return;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    end();
  }, 500);
  timer.unref();
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done();
    else signal.addEventListener('abort', () => done(), { once: true });
  });
}

/** Throws when a process ends by itself. */
async function fallen(system: LocalSystem, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const one = system.fallen;
    if (one) throw new Error(`${one.name} ended:\n${one.lastWords()}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(`local: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(1);
  },
);
