import { SCHEMA, type Variable } from './schema.js';

/** The settings table of the README, made from the schema. */
export function settingsTable(): string {
  const rows = Object.entries(SCHEMA as Record<string, Variable>).map(([name, variable]) => {
    const unset = variable.requiredBy
      ? `required (${variable.requiredBy.join(', ')})`
      : (variable.defaultNote ?? '');
    const given =
      variable.default === null ? unset : variable.default === '' ? 'empty' : `\`${variable.default}\``;
    return `| \`${name}\` | ${variable.kind.type} | ${given} | ${variable.meaning}${variable.secret ? ' Secret.' : ''} |`;
  });
  return ['| variable | type | default | meaning |', '| --- | --- | --- | --- |', ...rows, ''].join('\n');
}

/**
 * The settings as JSON Schema, for whoever gives them as an object: secrets are left out, and an unknown name is refused.
 * It is wider than the program's own checks, which run at start; it refuses nothing that they take.
 */
export function settingsSchema(): Record<string, unknown> {
  const open = Object.entries(SCHEMA as Record<string, Variable>).filter(([, variable]) => !variable.secret);
  return {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(
      open.map(([name, { kind, meaning }]) => [
        name,
        { description: meaning, ...(kind.json ?? { type: ['string', 'number'] }) },
      ]),
    ),
  };
}

/** The text of `.env.example`, made from the schema: every variable, commented out, with its default. */
export function envExample(): string {
  const entries = Object.entries(SCHEMA as Record<string, Variable>).map(([name, variable]) => {
    const note = variable.requiredBy
      ? `required (${variable.requiredBy.join(', ')})`
      : `default: ${variable.default ?? variable.defaultNote ?? 'not set'}`;
    return `# ${variable.meaning.replaceAll('`', '')}\n# ${variable.kind.type.replaceAll('`', '')}; ${note}\n#${name}=${variable.default ?? ''}\n`;
  });
  return `# Every setting of Sluice. Made from libs/shared/src/config/schema.ts by \`npm run docs:settings\`.\n\n${entries.join('\n')}`;
}
