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
