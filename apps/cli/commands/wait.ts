import { setTimeout as pause } from 'node:timers/promises';
import { Argument, InvalidArgumentError, type Command } from 'commander';
import { formatBytes } from '@app/shared/domain';
import type { Session } from '../answers.js';
import { TimedOut, Unreachable, type Client } from '../client.js';
import { sessionOf } from '../names.js';
import { escaped } from '../print.js';
import { askOf, pathOf } from './ask.js';

/** For how long the api holds its answer back; many a proxy ends what is silent for longer than half a minute. Seconds. */
const HELD_S = 20;
/** How long an answer may take beyond that; milliseconds. */
const ANSWER_MS = 10_000;
/** The pause before it is asked again where it answered at once; milliseconds. */
const PAUSE_MS = 1_000;
/** The exit code for a session that is finished and not complete. */
const INCOMPLETE = 4;

/** `sluice wait <session>`: until it is complete or finished, for scripts. */
export function registerWait(program: Command): void {
  program
    .command('wait')
    .description(
      'wait until a session is complete or finished; 0: complete, 4: finished and not complete, 5: timed out',
    )
    .addArgument(
      new Argument('<session>', '<date>/<encoded session>, or its name: the newest one of that name'),
    )
    .option('--timeout <seconds>', 'no longer than this; default: as long as it takes', seconds)
    .action(async (text: string, options: { timeout?: number }, command: Command) => {
      const { client, print } = askOf(command);
      const end = endOf(options.timeout);
      const session = await over(client, pathOf(await sessionOf(client, text)), end);
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

/** 0 where all is there, and every file is in the store. */
function exitCodeOf({ complete }: Session): number {
  return complete ? 0 : INCOMPLETE;
}

/** The session once it is complete or finished. @throws TimedOut; Refused; Unreachable */
function over(client: Client, path: string, end: number): Promise<Session> {
  return waitFor(client, path, end, ({ complete, state }) => complete || state === 'finished');
}

/** The session once it is finished. @throws TimedOut; Refused; Unreachable */
export function finished(client: Client, path: string, end: number): Promise<Session> {
  return waitFor(client, path, end, ({ state }) => state === 'finished');
}

/** An api that is away for a while, as in a rollout, is waited for once it has answered. */
async function waitFor(
  client: Client,
  path: string,
  end: number,
  enough: (session: Session) => boolean,
): Promise<Session> {
  let session = await client.get<Session>(path);
  while (!enough(session)) {
    const leftMs = Math.max(0, end - Date.now());
    if (leftMs === 0) throw new TimedOut(`the session is ${session.state} still; ${summaryOf(session)}`);
    const seconds = Math.min(HELD_S, Math.floor(leftMs / 1000));
    const asked = Date.now();
    try {
      session = await client.get<Session>(
        path,
        { wait: String(seconds) },
        undefined,
        seconds * 1000 + ANSWER_MS,
      );
    } catch (error) {
      if (!(error instanceof Unreachable) || Date.now() >= end) throw error;
    }
    // it answers early where it stops, or where it is complete and more than that is waited for
    const early = !enough(session) && Date.now() - asked < PAUSE_MS;
    if (early) await pause(Math.min(PAUSE_MS, Math.max(0, end - Date.now())));
  }
  return session;
}

function summaryOf({ session_name, state, complete, missing, files, bytes }: Session): string {
  const lacks = complete || !missing ? '' : `, ${missing.files} missing`;
  const open = files.queued + files.active + files.delayed;
  return `Session ${escaped(session_name)} (${state}): ${files.done} done, ${files.failed} failed, ${open} under way, ${formatBytes(bytes.done)}${lacks}`;
}
