import { createRequire } from 'node:module';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { ROOT } from './command.js';

const load = createRequire(__filename);
/** Kinds of operators, whose schemas come with the operators. */
const FOREIGN = /^(keda\.sh|monitoring\.coreos\.com)\//;

/**
 * Holds documents against the schemas of Kubernetes: values by the validators, and names by the types, since the
 * validators let an unknown field pass.
 *
 * @returns what is wrong, a line each
 */
export function schemaFaults(manifests: readonly any[]): string[] {
  const known = manifests.filter(({ apiVersion }) => !FOREIGN.test(apiVersion));
  const faults = known.flatMap((manifest) => {
    const path = `kubernetes-models/${manifest.apiVersion}/${manifest.kind}`;
    try {
      new (load(path)[manifest.kind])(manifest).validate();
      return [];
    } catch (error) {
      return [`${manifest.kind} ${manifest.metadata.name}: ${String(error)}`];
    }
  });
  return [...faults, ...unknownFields(known)];
}

function unknownFields(manifests: readonly any[]): string[] {
  mkdirSync(join(ROOT, '.local'), { recursive: true });
  const folder = mkdtempSync(join(ROOT, '.local', 'schema-'));
  try {
    const file = join(folder, 'manifests.ts');
    const lines = manifests.map(
      ({ apiVersion, kind, ...rest }, i) =>
        `export const m${i}: import('kubernetes-models/${apiVersion}/${kind}').I${kind} = ${JSON.stringify({ apiVersion, kind, ...rest })};`,
    );
    writeFileSync(file, lines.join('\n'));
    const program = ts.createProgram([file], {
      module: ts.ModuleKind.Node20,
      moduleResolution: ts.ModuleResolutionKind.Node16,
      noEmit: true,
      skipLibCheck: true,
      strict: true,
      types: [],
    });
    return ts
      .getPreEmitDiagnostics(program)
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
