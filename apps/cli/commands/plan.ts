import type { Command } from 'commander';
import type { PlannedFile, PlanPage } from '../answers.js';
import type { Client } from '../client.js';
import { escaped, table } from '../print.js';
import { askOf } from './ask.js';

/** A page lists the drop folder and asks the store; milliseconds. */
const PAGE_MS = 60_000;
const PAGE = 1_000;

/** `sluice plan`: what would become of the files that wait. */
export function registerPlan(program: Command): void {
  program
    .command('plan')
    .description('what would become of the files that wait in the drop folder; nothing is changed')
    .option('--session <name>', 'as if a session of this name were started; default: the active one')
    .action(async (options: { session?: string }, command: Command): Promise<void> => {
      const { client, print } = askOf(command);
      const plan = await wholePlan(client, options.session);
      print(plan, () => [
        ...table(['EXISTS', 'NAME', 'BLOB', 'WOULD BE REFUSED'], plan.items.map(row)),
        ...plan.notes.map((note) => `Note: ${escaped(note)}`),
        sumsOf(plan.items),
      ]);
    });
}

/** All pages as one, and each note once. */
async function wholePlan(
  client: Client,
  session: string | undefined,
): Promise<{ items: PlannedFile[]; notes: string[] }> {
  const items: PlannedFile[] = [];
  const notes = new Set<string>();
  for (let cursor: string | undefined; ;) {
    const query = { session_name: session, limit: String(PAGE), cursor };
    const page = await client.get<PlanPage>('v1/plan', query, undefined, PAGE_MS);
    items.push(...page.items);
    if (page.note !== null) notes.add(page.note);
    if (page.next_cursor === null) return { items, notes: [...notes] };
    cursor = page.next_cursor;
  }
}

function row({ filename, url, exists, fault }: PlannedFile): string[] {
  return [
    exists === null ? '?' : exists ? 'yes' : 'no',
    escaped(filename),
    url === null ? '-' : escaped(url),
    fault === null ? '-' : escaped(fault),
  ];
}

/** One line: how many files, how many would be refused, how many blobs exist. */
function sumsOf(items: readonly PlannedFile[]): string {
  const count = (of: (item: PlannedFile) => boolean): number => items.filter(of).length;
  const unknown = count(({ exists }) => exists === null);
  return [
    `${items.length} file${items.length === 1 ? '' : 's'}`,
    `${count(({ fault }) => fault !== null)} would be refused`,
    `${count(({ exists }) => exists === true)} exist already`,
    ...(unknown > 0 ? [`of ${unknown} it is not known whether they exist`] : []),
  ].join(', ');
}
