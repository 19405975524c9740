import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { settingsSchema } from '@app/shared/config';

type Schema = Record<string, unknown>;

/** What a value's default does not say of it, by its path in values.yaml. */
const SAID: Readonly<Record<string, Schema>> = {
  settings: settingsSchema(),
  'image.pullPolicy': { enum: ['Always', 'IfNotPresent', 'Never'] },
  'volume.type': { enum: ['nfs', 'azureFilesNfs', 'azureFilesSmb', 'claim'] },
  'autoscaling.type': { enum: ['none', 'hpa', 'keda'] },
  'monitoring.group': { enum: ['monitoring.coreos.com', 'azmonitoring.coreos.com'] },
};
/** Kubernetes says what stands in these. */
const FREE = /(?:^|\.)(?:resources|labels|annotations|podAnnotations|parameters|affinity)$/;

/**
 * `values.schema.json` of the chart: the names and types of values.yaml, the settings as the code checks them. A name
 * that is not there is refused.
 *
 * @param root the folder of package.json
 */
export function chartSchema(root: string): string {
  const values: unknown = parse(readFileSync(join(root, 'charts/sluice/values.yaml'), 'utf8'));
  const schema = { $schema: 'http://json-schema.org/draft-07/schema#', ...schemaOf('', values) };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

function schemaOf(path: string, value: unknown): Schema {
  const said = SAID[path];
  if (said) return said;
  if (Array.isArray(value)) return { type: 'array' };
  if (typeof value !== 'object' || value === null)
    return { type: typeof value === 'number' ? 'integer' : typeof value };
  if (FREE.test(path)) return { type: 'object' };
  const properties = Object.entries(value).map(([name, inner]) => [
    name,
    schemaOf(path === '' ? name : `${path}.${name}`, inner),
  ]);
  return { type: 'object', additionalProperties: false, properties: Object.fromEntries(properties) };
}
