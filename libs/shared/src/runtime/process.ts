import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { ConfigError, parseConfig, unknownVariables, type Config, type Role } from '../config/index.js';
import { codeOf, messageOf } from '../domain/index.js';
import { signalAsked } from './first-signal.js';
import { createLogger, type Logger } from './logger.js';
import { VERSION } from './version.js';

/** What every process has from its first moment on. */
export interface ProcessContext {
  readonly config: Config;
  readonly log: Logger;
  readonly pod: {
    /** New at each start. */
    readonly id: string;
    /** Host name. */
    readonly name: string;
    readonly version: string;
    /** ISO 8601. */
    readonly startedAt: string;
  };
}

/** A running process, as `run` needs it. */
export interface RunningProcess {
  /** Ends all work in order; called once. */
  stop(): Promise<void>;
  /** Whether a thread hangs in a file operation now. */
  hangs(): boolean;
}

/** A start that cannot go on: the message is one line that names what to change, and holds no secret. */
export class StartupError extends Error {
  override readonly name = 'StartupError';
}

/** How long after the grace time a stop may still take; contract section 1. */
const STOP_SLACK_MS = 4_000;

/**
 * Runs a process: parses the settings, starts it, stops it on SIGTERM or SIGINT, and ends with code 0; a fault at
 * start is one line and code 1. The only place where a process exits.
 *
 * @param fail given to the process: ends it with one line when it finds out later that it must not run
 */
export async function run(
  role: Role,
  start: (context: ProcessContext, fail: (error: unknown) => void) => Promise<RunningProcess>,
): Promise<void> {
  const context = contextOf(role);
  const { log, config } = context;
  let running: RunningProcess | null = null;
  let stopping = false;

  const fail = (error: unknown): void => {
    const known = error instanceof StartupError || isPortTaken(error);
    log.fatal({ code: known ? 'StartupError' : undefined }, sentenceOf(error));
    if (!known && error instanceof Error) log.debug({ stack: error.stack }, 'where it came from');
    leave(1, running?.hangs() ?? false);
  };
  const stop = async (signal: string): Promise<void> => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, `stopping: running work has ${config.shutdownGraceMs / 1000} s`);
    const deadline = setTimeout(() => {
      log.warn('stopped at the deadline; what was not handed back goes on once its lock has run out');
      leave(0, running?.hangs() ?? false);
    }, config.shutdownGraceMs + STOP_SLACK_MS);
    await running?.stop().catch((error: unknown) => log.warn(`stopping met an error: ${messageOf(error)}`));
    clearTimeout(deadline);
    log.info('stopped');
    leave(0, running?.hangs() ?? false);
  };
  process.on('SIGTERM', () => void stop('SIGTERM'));
  process.on('SIGINT', () => void stop('SIGINT'));
  process.on('unhandledRejection', (error) => fail(error));
  process.on('uncaughtException', (error) => fail(error));
  const early = signalAsked();
  if (early !== null) return stop(early);

  try {
    running = await start(context, fail);
  } catch (error) {
    fail(error);
  }
}

function contextOf(role: Role): ProcessContext {
  const pod = {
    id: randomBytes(6).toString('hex'),
    name: hostname(),
    version: VERSION,
    startedAt: new Date().toISOString(),
  };
  let config: Config;
  try {
    config = parseConfig(role, process.env);
  } catch (error) {
    const faults = error instanceof ConfigError ? error.faults.join('; ') : messageOf(error);
    process.stdout.write(
      `${JSON.stringify({ level: 'fatal', time: new Date().toISOString(), role, pod: pod.name, msg: `the settings have faults: ${faults}${misspelt()}` })}\n`,
    );
    process.exit(1);
  }
  const log = createLogger(config, pod.name);
  for (const name of unknownVariables(process.env))
    log.warn(`${name} is no setting of Sluice and is ignored; look for a typing error`);
  return { config, log, pod };
}

/** What may be meant by a variable that is missing. */
function misspelt(): string {
  const unknown = unknownVariables(process.env);
  if (unknown.length === 0) return '';
  return `; ${unknown.join(', ')} ${unknown.length === 1 ? 'is no setting' : 'are no settings'} of Sluice, look for a typing error`;
}

/** What Node says of a port that cannot be listened on. */
function isPortTaken(error: unknown): error is { readonly port: number; readonly address: string } {
  return (
    error instanceof Error &&
    'syscall' in error &&
    error.syscall === 'listen' &&
    codeOf(error) === 'EADDRINUSE'
  );
}

function sentenceOf(error: unknown): string {
  if (!isPortTaken(error)) return messageOf(error);
  return `port ${error.port} of ${error.address} is in use; set APP_PORT to another one, or end what listens there`;
}

/**
 * Ends the process. A thread that hangs in a system call would make `process.exit` wait for it for ever; replacing the
 * process image does not (Node 22.15 and later: https://nodejs.org/api/process.html#processexecvefile-args-env), and
 * where that is missing only SIGKILL is left, which shows as code 137.
 */
function leave(code: number, hangs: boolean): never {
  if (hangs) {
    const { execve } = process as {
      execve?: (file: string, args: string[], env: Record<string, string>) => never;
    };
    if (execve) execve('/bin/sh', ['sh', '-c', `exit ${code}`], {});
    process.kill(process.pid, 'SIGKILL');
  }
  process.exit(code);
}
