import { InvalidArgumentError, Option, type Command } from 'commander';
import { TIERS, type Tier, type WrittenLabels } from '@app/shared/config';
import type { Page, Session, Status } from '../answers.js';
import { WrongUsage, type Client } from '../client.js';
import { escaped } from '../print.js';
import { askOf, count, pathOf } from './ask.js';
import { endOf, finished, seconds } from './wait.js';

interface Named {
  readonly date_prefix: string;
  readonly session_name: string;
  readonly encoded_session: string;
}

interface Started extends Named {
  readonly replaced: Named | null;
}

interface StartOptions {
  readonly wait?: boolean;
  readonly timeout?: number;
  readonly tier?: Tier;
  readonly tag?: Record<string, string>;
  readonly metadata?: Record<string, string>;
  readonly encryptionScope?: string;
  readonly expectFiles?: number;
  readonly expectBytes?: number;
  readonly endMarker?: string;
}

/** The labels of a call; undefined where the command line has none, which keeps those of the session. */
function labelsOf({ tier, tag, metadata, encryptionScope }: StartOptions): WrittenLabels | undefined {
  const labels = { tier, tags: tag, metadata, encryption_scope: encryptionScope };
  return Object.values(labels).every((value) => value === undefined) ? undefined : labels;
}

/** One more `key=value`. @throws InvalidArgumentError */
function pair(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('wanted is key=value');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

function bodyOf(name: string | undefined, options: StartOptions): object {
  const { expectFiles, expectBytes, endMarker } = options;
  const expects = expectFiles !== undefined || expectBytes !== undefined;
  return {
    session_name: name,
    expect: expects ? { files: expectFiles, bytes: expectBytes } : undefined,
    end_marker: endMarker,
    labels: labelsOf(options),
  };
}

function bytes(text: string): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
  if (Number.isNaN(value)) throw new InvalidArgumentError('give a whole number of bytes.');
  return value;
}

/** `sluice start [name]` and `sluice stop`: begin a session, or end it. */
export function registerStart(program: Command): void {
  program
    .command('start')
    .description('start a session, or switch to another')
    .argument('[name]', 'its name, kept as given; without one it gets a name of its own')
    .option(
      '--wait',
      'wait until the session before it is finished; one that stops is let take its files first',
    )
    .addOption(new Option('--tier <tier>', 'access tier of its blobs').choices(TIERS))
    .option('--tag <key=value>', 'tag of its blobs; may be repeated', pair)
    .option('--metadata <key=value>', 'metadata of its blobs; may be repeated', pair)
    .option('--encryption-scope <scope>', 'encryption scope of its blobs')
    .option('--timeout <seconds>', 'with --wait: no longer than this, then exit with 5', seconds)
    .option('--expect-files <n>', 'it is complete once so many files are verified in the store', count)
    .option('--expect-bytes <n>', 'the same of bytes', bytes)
    .option('--end-marker <name>', 'the file that says that all is dropped; it is uploaded last')
    .action(async (name: string | undefined, options: StartOptions, command: Command): Promise<void> => {
      if (options.timeout !== undefined && !options.wait)
        throw new WrongUsage('--timeout is of --wait; give both, or none');
      const { client, print } = askOf(command);
      const end = endOf(options.timeout);
      if (options.wait) await untilNoneStops(client, end);
      const session = await client.post<Started>('v1/watch/start', bodyOf(name, options));
      if (options.wait && session.replaced) await finished(client, pathOf(session.replaced), end);
      print(session, () => [
        `Session ${escaped(session.session_name)} is active; files go to ${session.date_prefix}/${session.encoded_session}/`,
        ...(session.replaced
          ? [`It took the place of ${escaped(session.replaced.session_name)}, which takes no new file.`]
          : []),
      ]);
    });
  program
    .command('stop')
    .description('stop the active session; what is queued goes on')
    .option('--drain', 'first take every file that stands in the drop folder now')
    .action(async (options: { drain?: boolean }, command: Command) => {
      const { client, print } = askOf(command);
      const answer = await client.post<{ enabled: boolean }>(
        'v1/watch/stop',
        options.drain ? { drain: true } : {},
      );
      print(answer, () => [
        answer.enabled
          ? 'The session stops once what stands in the drop folder now is taken.'
          : 'No session is active now; what is queued goes on.',
      ]);
    });
}

/** Waits until the newest session is finished, unless it is active and nobody stops it: then a start is what ends it. @throws TimedOut */
async function untilNoneStops(client: Client, end: number): Promise<void> {
  const [{ enabled, stopping }, { items }] = await Promise.all([
    client.get<Status>('v1/status'),
    client.get<Page<Session>>('v1/sessions', { limit: '1000' }),
  ]);
  const before = enabled ? items.find(({ state }) => state === 'active') : items[0];
  if (before && (stopping || !enabled)) await finished(client, pathOf(before), end);
}
