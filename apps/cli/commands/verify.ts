import { InvalidArgumentError, Argument, type Command } from 'commander';
import { formatBytes } from '@app/shared/domain';
import type { Client } from '../client.js';
import { sessionOf } from '../names.js';
import { escaped, table } from '../print.js';
import { askOf, pathOf } from './ask.js';

/** The exit code for a session of which a blob is not as it was. */
const DIFFERS = 4;
const PROOFS = ['etag', 'bytes', 'blocks', 'size'] as const;
const UNITS: Readonly<Record<string, number>> = { '': 1, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 };

/** `POST /v1/sessions/{date}/{encoded_session}/verify`. */
interface Verification {
  readonly checked: number;
  readonly differing: readonly { filename: string; what: string; detail: string }[];
  readonly proved_by: Readonly<Record<(typeof PROOFS)[number], number>>;
  readonly superseded: number;
  readonly under_way: number;
  readonly without_record: number;
  readonly next_cursor: string | null;
}

/** `sluice verify <session>`: whether its blobs are as they were when they were verified. */
export function registerVerify(program: Command): void {
  program
    .command('verify')
    .description("compare a session's blobs with what was verified; 0: all are as they were, 4: some differ")
    .addArgument(
      new Argument('<session>', '<date>/<encoded session>, or its name: the newest one of that name'),
    )
    .option('--deep', 'also read the bytes again')
    .option('--rate <bytes>', 'with --deep: at most so many bytes a second, such as 50Mi', bytes)
    .action(async (text: string, options: { deep?: boolean; rate?: number }, command: Command) => {
      const { client, print } = askOf(command);
      const found = await verified(client, pathOf(await sessionOf(client, text)), options);
      print(found, () => linesOf(found));
      if (found.differing.length > 0) process.exitCode = DIFFERS;
    });
}

/** Asks page by page, and adds up. @throws Refused, Unreachable */
async function verified(
  client: Client,
  path: string,
  { deep = false, rate }: { deep?: boolean; rate?: number },
): Promise<Verification> {
  let sum: Verification | null = null;
  let cursor: string | undefined;
  do {
    const page: Verification = await client.post(`${path}/verify`, { deep, rate_bytes_per_s: rate, cursor });
    sum = sum === null ? page : added(sum, page);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  return sum;
}

function added(a: Verification, b: Verification): Verification {
  return {
    ...b,
    checked: a.checked + b.checked,
    superseded: a.superseded + b.superseded,
    under_way: a.under_way + b.under_way,
    differing: [...a.differing, ...b.differing],
    proved_by: {
      etag: a.proved_by.etag + b.proved_by.etag,
      bytes: a.proved_by.bytes + b.proved_by.bytes,
      blocks: a.proved_by.blocks + b.proved_by.blocks,
      size: a.proved_by.size + b.proved_by.size,
    },
  };
}

const SHOWN_BY: Readonly<Record<(typeof PROOFS)[number], string>> = {
  etag: 'by their ETag: nobody has written them since',
  bytes: 'by their bytes, read again',
  blocks: 'by their block list alone; --deep reads the bytes',
  size: 'by their size alone; --deep reads the bytes',
};

function linesOf(found: Verification): string[] {
  const { checked, differing, proved_by: proved } = found;
  const others = [
    ...(found.superseded > 0 ? [`${found.superseded} earlier drops were replaced by later ones.`] : []),
    ...(found.under_way > 0 ? [`${found.under_way} are under way again and were not compared.`] : []),
    ...(found.without_record > 0
      ? [`${found.without_record} could not be compared: their records went by the history limits.`]
      : []),
  ];
  return [
    ...(differing.length === 0
      ? []
      : table(
          ['FILE', 'WHAT', 'DETAIL'],
          differing.map(({ filename, what, detail }) => [escaped(filename), what, escaped(detail)]),
        )),
    `${checked} blobs compared, ${differing.length} differ.`,
    ...PROOFS.filter((proof) => proved[proof] > 0).map(
      (proof) => `${proved[proof]} are as they were, ${SHOWN_BY[proof]}.`,
    ),
    ...others,
  ];
}

/** Reads bytes, with Ki, Mi or Gi. */
function bytes(text: string): number {
  const [, digits = '', unit = ''] = /^(\d{1,12})(Ki|Mi|Gi)?$/.exec(text) ?? [];
  const value = Number(digits) * (UNITS[unit] ?? 0);
  if (value < 256 * 1024)
    throw new InvalidArgumentError(`give at least ${formatBytes(256 * 1024)}, such as 50Mi.`);
  return value;
}
