import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { test, type TestContext } from '../support/index.js';
import { command, ROOT } from './command.js';
import { of } from './manifests.js';
import { schemaFaults } from './schema.js';

const CLIENT_ID = '11111111-2222-3333-4444-555555555555';
const IMAGE = { name: 'sluice', newName: 'registry.example/sluice', newTag: '9.9.9' };

/** A repository that holds k8s/ alone, as git has it: what is not committed there is not there for a remote base. */
function remote(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-remote-'));
  t.after(() => rmSync(folder, { recursive: true }));
  cpSync(join(ROOT, 'k8s'), join(folder, 'k8s'), { recursive: true });
  const git = (...args: string[]) =>
    command('git', ['-C', folder, '-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args]);
  git('init', '--quiet', '--initial-branch', 'main');
  git('add', '.');
  git('commit', '--quiet', '--message', 'k8s');
  return `file://${folder}`;
}

/** Renders a kustomization of somebody else, in a folder that knows nothing of this one. */
function renderOwn(t: TestContext, kustomization: object): any[] {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-own-'));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'own'));
  const head = { apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization' };
  writeFileSync(join(folder, 'own', 'kustomization.yaml'), stringify({ ...head, ...kustomization }));
  const said = command('kubectl', ['kustomize', join(folder, 'own')]);
  return parseAllDocuments(said).map((document) => document.toJS());
}

test('policy: a remote base in another namespace, with identity and image of its own, edits no file of this repository', (t) => {
  const base = remote(t);
  const at = (path: string) => `${base}//k8s/${path}?ref=main`;
  const manifests = renderOwn(t, {
    namespace: 'ingest-b',
    resources: [at('overlays/nfs')],
    components: ['workload-identity', 'keda', 'egress-proxy']
      .map((name) => at(`components/${name}`))
      .concat(at('observability')),
    images: [IMAGE],
    configMapGenerator: [
      {
        name: 'sluice-settings',
        behavior: 'merge',
        literals: ['APP_AZURE_ACCOUNT_URL=https://b.blob.core.windows.net'],
      },
    ],
    patches: [
      {
        target: { kind: 'ServiceAccount', name: 'sluice-uploader' },
        patch: stringify([
          {
            op: 'add',
            path: '/metadata/annotations/azure.workload.identity~1client-id',
            value: CLIENT_ID,
          },
        ]),
      },
      {
        target: { kind: 'PersistentVolume', name: 'sluice-nfs' },
        patch: stringify([{ op: 'replace', path: '/spec/nfs/server', value: 'nfs.b.example' }]),
      },
    ],
    replacements: [
      {
        source: { kind: 'Service', name: 'sluice-redis', fieldPath: 'metadata.namespace' },
        targets: [
          {
            select: { kind: 'ScaledObject' },
            fieldPaths: ['spec.triggers.*.metadata.address'],
            options: { delimiter: '.', index: 1 },
          },
        ],
      },
    ],
  });
  assert.deepEqual(schemaFaults(manifests), []);
  for (const { kind, metadata } of manifests) {
    if (['PersistentVolume', 'StorageClass'].includes(kind)) continue;
    assert.equal(
      kind === 'Namespace' ? metadata.name : metadata.namespace,
      'ingest-b',
      `${kind} ${metadata.name}`,
    );
  }
  const text = JSON.stringify(manifests);
  assert.doesNotMatch(text, /cluster\.local:/, 'the domain of the cluster stands in no address');
  assert.doesNotMatch(text, /"namespace":"sluice"|\.sluice\.svc|\[?"sluice"\]/);
  for (const { spec } of of(manifests, 'Deployment'))
    assert.equal(spec.template.spec.containers[0].image, 'registry.example/sluice:9.9.9');
  const [{ env }] = of(manifests, 'Deployment', 'sluice-uploader')[0].spec.template.spec.containers;
  const valueOf = (variable: string) => env.find(({ name }: any) => name === variable)?.value;
  assert.equal(valueOf('APP_AZURE_CREDENTIAL'), 'identity');
  assert.equal(valueOf('AZURE_TOKEN_CREDENTIALS'), 'WorkloadIdentityCredential', 'no other is tried');
  const [account] = of(manifests, 'ServiceAccount', 'sluice-uploader');
  assert.equal(account.metadata.annotations['azure.workload.identity/client-id'], CLIENT_ID);
  for (const { metadata } of of(manifests, 'ScaledObject')[0].spec.triggers)
    assert.equal(metadata.address, 'sluice-redis.ingest-b.svc:6379');
});

test('policy: the canary takes namespace and image from outside, too', (t) => {
  const manifests = renderOwn(t, {
    namespace: 'ingest-b',
    resources: [`${remote(t)}//k8s/canary?ref=main`],
    images: [IMAGE],
  });
  const [{ metadata, spec }] = of(manifests, 'Job');
  assert.equal(metadata.namespace, 'ingest-b');
  assert.equal(spec.template.spec.containers[0].image, 'registry.example/sluice:9.9.9');
});
