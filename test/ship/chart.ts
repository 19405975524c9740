import { delimiter, join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { command, ROOT, tryCommand, type Ended } from './command.js';

const CHART = join(ROOT, 'charts/sluice');
/** scripts/helm.sh puts helm there on a machine that has none. */
const env = { PATH: [process.env.PATH, join(ROOT, '.local/bin')].join(delimiter) };

/** Values of a chart, nested as in values.yaml. */
export type Values = Record<string, unknown>;

/** Runs helm to its end, however it ends. */
export function tryHelm(args: readonly string[], values: Values = {}): Ended {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-values-'));
  try {
    const file = join(folder, 'values.yaml');
    writeFileSync(file, stringify(values));
    return tryCommand('helm', [...args, '--values', file], env);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The documents that `helm template` makes of the chart. @throws Error where the values are refused */
export function template(values: Values = {}, release = 'sluice', namespace = 'sluice'): any[] {
  const { code, stdout, stderr } = tryHelm(['template', release, CHART, '--namespace', namespace], values);
  if (code !== 0) throw new Error(stderr);
  return parseAllDocuments(stdout)
    .map((document) => document.toJS())
    .filter(Boolean);
}

/** What `helm lint` says. @throws Error where it finds a fault */
export const lint = (): string => command('helm', ['lint', '--strict', CHART], env);
