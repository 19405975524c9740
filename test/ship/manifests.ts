import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { command, ROOT } from './command.js';

/** The documents that `kubectl kustomize` makes of a folder below `k8s/`, with components of it. */
export function render(folder: string, components: readonly string[] = []): any[] {
  if (components.length === 0) return documents(join(ROOT, 'k8s', folder));
  const here = mkdtempSync(join(tmpdir(), 'sluice-kustomize-'));
  const path = (name: string) => relative(here, join(ROOT, 'k8s', name));
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: [path(folder)],
    components: components.map(path),
  };
  try {
    writeFileSync(join(here, 'kustomization.yaml'), stringify(kustomization));
    return documents(here);
  } finally {
    rmSync(here, { recursive: true });
  }
}

function documents(folder: string): any[] {
  return parseAllDocuments(command('kubectl', ['kustomize', folder])).map((document) => document.toJS());
}

/** The documents of a kind whose names begin so. */
export function of(manifests: readonly any[], kind: string, name = ''): any[] {
  return manifests.filter((manifest) => manifest.kind === kind && manifest.metadata.name.startsWith(name));
}

/** Documents as one YAML text. */
export function asYaml(manifests: readonly unknown[]): string {
  return manifests.map((manifest) => stringify(manifest)).join('---\n');
}
