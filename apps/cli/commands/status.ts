import type { Command } from 'commander';
import { formatBytes } from '@app/shared/domain';
import type { Disk, Pod, Status } from '../answers.js';
import { colours, escaped, formatSeconds, table, wantsColour } from '../print.js';
import { askOf } from './ask.js';

/** `sluice status`: the whole system at a glance. */
export function registerStatus(program: Command): void {
  program
    .command('status')
    .description('the whole system at a glance')
    .option('--check', 'exit with 1 when there are problems')
    .action(async (options: { check?: boolean }, command: Command) => {
      const { client, print } = askOf(command);
      const status = await client.get<Status>('v1/status');
      print(status, () => statusLines(status, wantsColour()));
      if (options.check && status.problems.length > 0) process.exitCode = 1;
    });
}

/** The page for people. */
export function statusLines(status: Status, colour: boolean): string[] {
  const paint = colours(colour);
  const { queue, incoming } = status;
  const session =
    status.active_session === null
      ? 'none is active'
      : `${escaped(status.active_session)} is active${status.stopping ? ', and stops once what stood in the drop folder is taken' : ''}`;
  const waiting = incoming
    ? `${incoming.seen} seen, ${incoming.settling} settling, ${incoming.held} held, ${incoming.ignored} ignored` +
      (incoming.oldest_age_s > 0 ? `; the oldest waits ${formatSeconds(incoming.oldest_age_s)}` : '')
    : status.pods.some(({ role }) => role === 'scanner')
      ? 'not known: no scan has ended lately'
      : 'not known: no live scanner';
  return [
    `Session   ${session}`,
    `Done      ${status.processed_ok} files, ${status.processed_err} quarantines since the counters began`,
    `Queue     ${queue.waiting} waiting, ${queue.active} active, ${queue.delayed} delayed, ${queue.failed} failed`,
    `Incoming  ${waiting}`,
    ...(status.last_error === null ? [] : [`Last error  ${escaped(status.last_error)}`]),
    '',
    ...table(
      ['ROLE', 'POD', 'STATE', 'IN HAND', 'VOLUME USED', 'STAGING USED', 'VERSION'],
      status.pods.map((pod) => [
        pod.role,
        escaped(pod.name),
        stateOf(pod),
        pod.in_hand,
        used(pod.disk.volume),
        used(pod.disk.staging),
        pod.version,
      ]),
    ),
    '',
    ...(status.problems.length === 0
      ? [paint('green', 'No problems.')]
      : [
          paint('red', `Problems (${status.problems.length}):`),
          ...status.problems.map((problem) => `- ${escaped(problem)}`),
        ]),
  ];
}

function stateOf(pod: Pod): string {
  if (!pod.ready) return 'not ready';
  return pod.standby ? 'stands by' : 'ready';
}

function used(disk: Disk | null): string {
  if (disk === null || disk.bytes_total === 0) return '-';
  const percent = Math.round(100 * (1 - disk.bytes_free / disk.bytes_total));
  return `${percent} % of ${formatBytes(disk.bytes_total)}`;
}
