import { Argument, type Command } from 'commander';
import { formatBytes } from '@app/shared/domain';
import type { Session } from '../answers.js';
import { sessionOf } from '../names.js';
import { escaped, formatRate, formatSeconds, table } from '../print.js';
import { askOf, count } from './ask.js';

/** `sluice sessions [session]`: sessions, newest first, or one of them. */
export function registerSessions(program: Command): void {
  program
    .command('sessions')
    .description('sessions, newest first; or one of them')
    .addArgument(
      new Argument('[session]', '<date>/<encoded session>, or its name: the newest one of that name'),
    )
    .option('--limit <n>', 'so many at most', count, 20)
    .option('--cursor <cursor>', 'go on where a page before ended')
    .action(
      async (
        text: string | undefined,
        options: { limit: number; cursor?: string },
        command: Command,
      ): Promise<void> => {
        const { client, print } = askOf(command);
        if (text !== undefined) {
          const session = await sessionOf(client, text);
          return print(session, () => sessionLines(session));
        }
        const page = await client.list<Session>('v1/sessions', { cursor: options.cursor }, options.limit);
        print(page, () => [
          ...table(
            [
              'SESSION',
              'STATE',
              'QUEUED',
              'ACTIVE',
              'DELAYED',
              'DONE',
              'FAILED',
              'BYTES',
              'RATE',
              'TIME LEFT',
            ],
            page.items.map((session) => [
              keyOf(session),
              session.state,
              session.files.queued,
              session.files.active,
              session.files.delayed,
              session.files.done,
              session.files.failed,
              bytesOf(session),
              session.rate_bytes_per_s > 0 ? formatRate(session.rate_bytes_per_s) : '-',
              timeLeft(session),
            ]),
          ),
          ...(page.next_cursor === null ? [] : [`More with --cursor ${page.next_cursor}`]),
        ]);
      },
    );
}

function sessionLines(session: Session): string[] {
  const { files } = session;
  return [
    `Session   ${escaped(session.session_name)} (${keyOf(session)}), ${session.state}`,
    `Files     ${files.queued} queued, ${files.active} active, ${files.delayed} delayed, ${files.done} done, ${files.failed} failed`,
    `Complete  ${session.complete ? 'yes' : `no, ${session.missing?.files ?? 0} missing`}`,
    `Bytes     ${bytesOf(session)}, ${formatRate(session.rate_bytes_per_s)}, time left ${timeLeft(session)}`,
    `Started   ${session.started_at}`,
    ...(session.stopped_at === null ? [] : [`Stopped   ${session.stopped_at}`]),
    ...(session.finished_at === null ? [] : [`Finished  ${session.finished_at}`]),
    `Blobs     ${session.url === null ? 'none yet' : escaped(session.url)}`,
  ];
}

/** `<date>/<encoded session>`. */
function keyOf(session: Session): string {
  return escaped(`${session.date_prefix}/${session.encoded_session}`);
}

function bytesOf({ bytes }: Session): string {
  return `${formatBytes(bytes.done + (bytes.in_flight ?? 0))} of ${formatBytes(bytes.total)}`;
}

function timeLeft(session: Session): string {
  return session.eta_s === null ? 'not known' : formatSeconds(session.eta_s);
}
