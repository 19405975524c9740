import { createRequire } from 'node:module';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { ROOT } from './command.js';

const load = createRequire(__filename);
/** Packages with the schemas of the operators' own kinds, by API group; every other kind is of Kubernetes itself. */
const OPERATORS: Record<string, string> = {
  'keda.sh': '@kubernetes-models/keda',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
};

/** Azure Monitor serves the Prometheus operator's kinds under a group of its own, with the same fields. */
const inKnownGroup = (manifest: any): any => ({
  ...manifest,
  apiVersion: manifest.apiVersion.replace(/^azmonitoring\./, 'monitoring.'),
});

/** The module with the class and the type of a document's kind. */
function moduleOf({ apiVersion, kind }: { apiVersion: string; kind: string }): string {
  const [group = ''] = apiVersion.split('/');
  return `${OPERATORS[group] ?? 'kubernetes-models'}/${apiVersion}/${kind}`;
}

/**
 * Holds documents against the schemas of Kubernetes, KEDA and the Prometheus operator: values by the validators, and names by the types, since the
 * validators let an unknown field pass.
 *
 * @returns what is wrong, a line each
 */
export function schemaFaults(manifests: readonly any[]): string[] {
  const known = manifests.map(inKnownGroup);
  const faults = known.flatMap((manifest) => {
    try {
      new (load(moduleOf(manifest))[manifest.kind])(manifest).validate();
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
        `export const m${i}: import('${moduleOf({ apiVersion, kind })}').I${kind} = ${JSON.stringify({ apiVersion, kind, ...rest })};`,
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
