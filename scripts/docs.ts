import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { envExample, settingsTable } from '@app/shared/config';
import { TRANSITIONS } from '@app/shared/domain';
import { chartSchema } from './chart-schema.js';

/** A file that holds text made from the code. */
export interface MadeFile {
  /** Relative to the root of the repository. */
  readonly path: string;
  /** The file as it should be. */
  readonly text: string;
}

/**
 * `.env.example`, the settings table of the README, the states in docs/design.md and the schema of the chart, as the code
 * says that they are; and the chart's copies of alerts and dashboard, since a chart holds no file of another folder.
 *
 * @param root the folder of package.json
 * @throws Error where a file has lost the markers between which the made text stands
 */
export function madeFiles(root: string): MadeFile[] {
  const filled = (path: string, name: string, made: string): MadeFile => ({
    path,
    text: between(path, readFileSync(join(root, path), 'utf8'), name, made),
  });
  return [
    { path: '.env.example', text: envExample() },
    filled('README.md', 'settings', settingsTable()),
    filled('docs/design.md', 'states', states()),
    { path: 'charts/sluice/values.schema.json', text: chartSchema(root) },
    ...['alerts.yaml', 'dashboard.json'].map((name) => ({
      path: `charts/sluice/files/${name}`,
      text: readFileSync(join(root, 'k8s/observability', name), 'utf8'),
    })),
  ];
}

/** Replaces what stands between `<!-- name: made by ... -->` and `<!-- name: end -->`; prettier leaves it alone. */
function between(path: string, text: string, name: string, made: string): string {
  const begin = `<!-- ${name}: made by npm run docs:settings -->`;
  const end = `<!-- ${name}: end -->`;
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${path} has no lines "${begin}" and "${end}"`);
  const block = `${begin}\n\n<!-- prettier-ignore-start -->\n\n${made}\n<!-- prettier-ignore-end -->\n\n`;
  return text.slice(0, from) + block + text.slice(to);
}

/** The table of moves as a diagram of who moves a file where, and in words. */
function states(): string {
  const place = (state: string): string => (state === 'dropped' || state === 'gone' ? '[*]' : state);
  const arrows = TRANSITIONS.map(({ from, to, by }) => `  ${place(from)} --> ${place(to)} : ${by}`);
  const rows = TRANSITIONS.map(({ from, to, by, when }) => `| ${from} | ${to} | ${by} | ${when} |`);
  return [
    '```mermaid',
    'stateDiagram-v2',
    ...arrows,
    '  done --> [*]',
    '```',
    '',
    '| from | to | by | when |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

if (require.main === module) for (const { path, text } of madeFiles(process.cwd())) writeFileSync(path, text);
