import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { envExample, settingsTable } from '@app/shared/config';
import { TRANSITIONS } from '@app/shared/domain';
import { chartSchema } from './chart-schema.js';
import { between, type MadeFile } from './made.js';
import { runbookPage } from './runbook.js';

/**
 * `.env.example`, the settings table of the README, the states in docs/design.md and the schema of the chart, as the code
 * says that they are; the chart's copies of alerts and dashboard, since a chart holds no file of another folder; and the
 * runbook as the live page shows it.
 *
 * @param root the folder of package.json
 * @throws Error where a file has lost the markers between which the made text stands
 */
export function madeFiles(root: string): MadeFile[] {
  const filled = (path: string, name: string, made: string): MadeFile => ({
    path,
    text: between(path, readFileSync(join(root, path), 'utf8'), name, made),
  });
  const runbook = runbookPage(readFileSync(join(root, 'docs/operate.md'), 'utf8'));
  return [
    { path: 'apps/api/live-page/static/runbook.html', text: runbook.html },
    { path: 'apps/api/live-page/static/runbook.json', text: runbook.sentences },
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
