import { setTimeout as pause } from 'node:timers/promises';
import { Argument, InvalidArgumentError, type Command } from 'commander';
import { formatBytes } from '@app/shared/domain';
import type { Session } from '../answers.js';
import { TimedOut, Unreachable, type Client } from '../client.js';
import { sessionOf } from '../names.js';
import { escaped } from '../print.js';
import { askOf, pathOf } from './ask.js';

/** How often the session is asked for; milliseconds. */
const ASK_MS = 1_000;
/** The exit code for a session that is finished, and of which a file failed. */
const INCOMPLETE = 4;

/** `sluice wait <session>`: until it is finished, for scripts. */
export function registerWait(program: Command): void {
  program
    .command('wait')
    .description('wait until a session is finished; 0: all is in the store, 4: a file failed, 5: timed out')
    .addArgument(
      new Argument('<session>', '<date>/<encoded session>, or its name: the newest one of that name'),
    )
    .option('--timeout <seconds>', 'no longer than this; default: as long as it takes', seconds)
    .action(async (text: string, options: { timeout?: number }, command: Command) => {
      const { client, print } = askOf(command);
      const end = endOf(options.timeout);
      const session = await finished(client, pathOf(await sessionOf(client, text)), end);
      print(session, () => [summaryOf(session)]);
      process.exitCode = exitCodeOf(session);
    });
}

/** When a wait is over; milliseconds since 1970. */
export function endOf(timeoutS: number | undefined): number {
  return timeoutS === undefined ? Infinity : Date.now() + timeoutS * 1000;
}

/** Reads a time limit. */
export function seconds(text: string): number {
  const value = /^\d{1,9}(?:\.\d+)?$/.test(text) ? Number(text) : 0;
  if (value <= 0) throw new InvalidArgumentError('give a number of seconds above 0.');
  return value;
}

/** 0 where every file is in the store. */
function exitCodeOf({ files }: Session): number {
  return files.failed === 0 ? 0 : INCOMPLETE;
}

/**
 * The session once it is finished. An api that is away for a while, as in a rollout, is waited for once it has answered.
 *
 * @throws TimedOut; Refused; Unreachable
 */
export async function finished(client: Client, path: string, end: number): Promise<Session> {
  let session = await client.get<Session>(path);
  while (session.state !== 'finished') {
    if (Date.now() >= end) throw new TimedOut(`the session is ${session.state} still; ${summaryOf(session)}`);
    await pause(Math.min(ASK_MS, Math.max(0, end - Date.now())));
    session = await client.get<Session>(path).catch((error: unknown) => {
      if (error instanceof Unreachable && Date.now() < end) return session;
      throw error;
    });
  }
  return session;
}

function summaryOf({ session_name, state, files, bytes }: Session): string {
  const open = files.queued + files.active + files.delayed;
  return `Session ${escaped(session_name)} (${state}): ${files.done} done, ${files.failed} failed, ${open} under way, ${formatBytes(bytes.done)}`;
}
