import assert from 'node:assert/strict';
import { parseConfig, SCHEMA } from '@app/shared/config';
import { test } from '../support/index.js';
import { lint, template, tryHelm, type Values } from './chart.js';
import { of, render } from './manifests.js';
import { mayEnter, mayReach } from './network.js';
import { schemaFaults } from './schema.js';

const NO_CLIENT = '00000000-0000-0000-0000-000000000000';
const small = { requests: { cpu: '500m', memory: '512Mi' }, limits: { cpu: '2', memory: '1Gi' } };

/** An overlay with components, and the values that make the same. */
const SAME: [overlay: string, components: string[], values: Values][] = [
  ['nfs', [], {}],
  ['azure-files', [], { volume: { type: 'azureFilesSmb' } }],
  [
    'azure-files',
    ['components/azure-files-identity'],
    { volume: { type: 'azureFilesSmb', azureFiles: { managedIdentity: true } } },
  ],
  ['azure-files-nfs', [], { volume: { type: 'azureFilesNfs' } }],
  ['nfs', ['components/managed-redis'], { redis: { bundled: false } }],
  ['nfs', ['components/api-without-volume'], { api: { mountVolume: false } }],
  ['nfs', ['components/workload-identity'], { uploader: { workloadIdentityClientId: NO_CLIENT } }],
  ['nfs', ['components/egress-proxy'], { egressProxy: { enabled: true } }],
  [
    'nfs',
    ['components/staging-disk'],
    {
      settings: { APP_STAGING_LIMIT: '110Gi' },
      uploader: {
        staging: { diskSize: '128Gi' },
        resources: {
          requests: { ...small.requests, 'ephemeral-storage': '1Gi' },
          limits: { ...small.limits, 'ephemeral-storage': '2Gi' },
        },
      },
    },
  ],
  ['nfs', ['components/keda'], { autoscaling: { type: 'keda', minReplicas: 0 } }],
  [
    'nfs',
    ['components/keda-managed-redis'],
    { redis: { bundled: false }, autoscaling: { type: 'keda', minReplicas: 0 } },
  ],
  [
    'nfs',
    ['components/ingress'],
    {
      ingress: {
        enabled: true,
        className: 'nginx',
        host: 'sluice.example.com',
        tlsSecret: 'sluice-api-tls',
        controllerNamespace: '',
      },
    },
  ],
  ['nfs', ['observability'], { monitoring: { enabled: true } }],
  [
    'azure-files-nfs',
    ['observability-azure'],
    {
      volume: { type: 'azureFilesNfs' },
      monitoring: { enabled: true, group: 'azmonitoring.coreos.com', namespace: 'kube-system' },
    },
  ],
  [
    'nfs',
    [
      'components/api-without-volume',
      'components/egress-proxy',
      'components/keda-managed-redis',
      'observability',
    ],
    {
      api: { mountVolume: false },
      egressProxy: { enabled: true },
      redis: { bundled: false },
      autoscaling: { type: 'keda', minReplicas: 0 },
      monitoring: { enabled: true },
    },
  ],
];

for (const [overlay, components, values] of SAME)
  test(`chart: the same objects as ${[overlay, ...components].join(' + ')}`, () => {
    const manifests = template(values);
    assert.deepEqual(schemaFaults(manifests), []);
    const hooks = (manifest: any) => manifest.metadata.annotations?.['helm.sh/hook'];
    assert.deepEqual(
      plain(manifests.filter((manifest) => !hooks(manifest))),
      plain(render(`overlays/${overlay}`, components)),
    );
  });

test('chart: `helm test` runs the storage canary', () => {
  const [canary] = of(template(), 'Job');
  assert.equal(canary.metadata.annotations['helm.sh/hook'], 'test');
  const [job] = of(render('canary'), 'Job');
  const named = JSON.parse(JSON.stringify(canary).replaceAll('sluice-storage-canary', 'storage-canary'));
  assert.deepEqual(plain([named]), plain([job]));
});

/** Documents by kind and name, without what only one of the two tools writes. */
function plain(manifests: readonly any[]): Record<string, unknown> {
  const hash = /"(sluice-settings)-[a-z0-9]{10}"/g;
  const all = JSON.parse(JSON.stringify(manifests).replace(hash, '"$1"')) as any[];
  return Object.fromEntries(
    all
      .filter(({ kind }) => kind !== 'Namespace')
      .map((manifest) => {
        for (const { metadata } of [
          manifest,
          manifest.spec?.template ?? {},
          ...(manifest.spec?.volumeClaimTemplates ?? []),
        ]) {
          for (const map of ['labels', 'annotations'] as const) strip(metadata, map);
        }
        const pod = manifest.spec?.template?.spec;
        for (const part of [pod, ...(pod?.containers ?? [])])
          for (const name of ['volumes', 'volumeMounts']) if (part?.[name]?.length === 0) delete part[name];
        for (const list of [
          pod?.volumes,
          ...(pod?.containers ?? []).flatMap((c: any) => [c.env, c.volumeMounts]),
        ])
          list?.sort((a: any, b: any) => (a.name < b.name ? -1 : 1));
        return [`${manifest.kind} ${manifest.metadata.name}`, manifest];
      })
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

function strip(metadata: any, map: 'labels' | 'annotations'): void {
  for (const name of Object.keys(metadata?.[map] ?? {}))
    if (/^(?:helm\.sh\/|checksum\/|app\.kubernetes\.io\/(?:instance|managed-by|part-of)$)/.test(name))
      delete metadata[map][name];
  if (Object.keys(metadata?.[map] ?? {}).length === 0) delete metadata?.[map];
}

test('chart: it passes its linter, and refuses a name that it does not know and a value of the wrong kind', () => {
  assert.match(lint(), /0 chart\(s\) failed/);
  const refused = (values: Values) => {
    const { code, stderr } = tryHelm(['template', 'sluice', 'charts/sluice'], values);
    assert.notEqual(code, 0, JSON.stringify(values));
    return stderr;
  };
  assert.match(refused({ settings: { APP_MIN_FILE_AGE: 5 } }), /APP_MIN_FILE_AGE/);
  assert.match(refused({ settings: { APP_REDIS_URL: 'redis://:secret@h:6379/0' } }), /APP_REDIS_URL/);
  assert.match(refused({ settings: { APP_CONTENT_MD5: 'maybe' } }), /APP_CONTENT_MD5/);
  assert.match(refused({ settings: { APP_WORKER_CONCURRENCY: 0 } }), /APP_WORKER_CONCURRENCY/);
  assert.match(refused({ volume: { type: 'emptyDir' } }), /volume/);
  assert.match(refused({ uploader: { replica: 3 } }), /replica/);
});

test('chart: every default of a setting is taken, and reaches the program as it was written', () => {
  const settings: Record<string, unknown> = { APP_AZURE_ACCOUNT_URL: 'https://a.blob.core.windows.net' };
  for (const [name, { default: text, secret }] of Object.entries(SCHEMA as Record<string, any>))
    if (text !== null && text !== '' && !secret) settings[name] = text;
  const [{ data }] = of(template({ settings }), 'ConfigMap', 'sluice-settings');
  for (const [name, text] of Object.entries(settings)) assert.equal(data[name], text, name);
  const numbers = { APP_HISTORY_MAX_FILES: 1_000_000, APP_POLL_INTERVAL_S: 0.5, APP_CONTENT_MD5: false };
  const [written] = of(template({ settings: numbers }), 'ConfigMap', 'sluice-settings');
  assert.equal(written.data.APP_HISTORY_MAX_FILES, '1000000');
  assert.equal(written.data.APP_POLL_INTERVAL_S, '0.5');
  assert.equal(written.data.APP_CONTENT_MD5, 'false');
  const config = parseConfig('scanner', { APP_REDIS_URL: 'redis://h:6379/0', ...written.data });
  assert.equal(config.history.maxFiles, 1_000_000);
});

test('chart: two releases stand side by side in one namespace, and neither reaches the Redis of the other', () => {
  const all = {
    monitoring: { enabled: true },
    autoscaling: { type: 'keda' },
    egressProxy: { enabled: true },
  };
  const [a, b] = [template(all, 'a', 'both'), template(all, 'b', 'both')];
  const names = (manifests: any[]) => manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
  const shared = names(a).filter((name) => names(b).includes(name));
  assert.deepEqual(shared, [], 'no object of both');
  const together = [...a, ...b];
  const pods = (manifests: any[]) =>
    of(manifests, 'Deployment').map(({ spec }) => spec.template.metadata.labels);
  for (const { metadata, spec } of together.filter(({ spec: it }) => it?.selector)) {
    const selector = spec.selector.matchLabels ?? spec.selector;
    const chosen = pods(together).filter((labels) =>
      Object.entries(selector).every(([name, value]) => labels[name] === value),
    );
    const own = metadata.name.startsWith('a') ? pods(a) : pods(b);
    for (const labels of chosen)
      assert.ok(
        own.some((it) => it === labels),
        `${metadata.name} chooses its own pods`,
      );
  }
  const redis = (release: string) => ({ 'app.kubernetes.io/name': `${release}-redis` });
  for (const labels of pods(a)) {
    assert.ok(mayEnter(together, redis('a'), { namespace: '', labels }, 6379));
    assert.ok(!mayEnter(together, redis('b'), { namespace: '', labels }, 6379));
    assert.ok(mayReach(together, labels, { namespace: 'both', labels: redis('a') }, 6379));
    assert.ok(!mayReach(together, labels, { namespace: 'both', labels: redis('b') }, 6379));
  }
});

test('chart: alerts link to the runbook where the values say that it is', () => {
  const monitoring = { enabled: true, runbookBase: 'https://git.example/sluice/blob/main' };
  const [{ spec }] = of(template({ monitoring }), 'PrometheusRule');
  for (const { alert, annotations } of spec.groups[0].rules)
    assert.equal(
      annotations.runbook_url,
      `https://git.example/sluice/blob/main/docs/operate.md#${alert.toLowerCase()}`,
    );
});

test('chart: HPA, ingress, own Secrets, variables and volumes are where Kubernetes looks for them', () => {
  const manifests = template({
    autoscaling: { type: 'hpa', minReplicas: 2 },
    ingress: { enabled: true, className: 'nginx', host: 'sluice.example', tlsSecret: 'tls' },
    api: { tokenSecret: { name: 'my-token', key: 'it' } },
    redis: { secret: 'my-redis' },
    volume: { type: 'claim', existingClaim: 'my-claim' },
    uploader: {
      azureSecret: 'my-azure',
      sasSecret: 'my-sas',
      extraEnv: [{ name: 'AZURE_CLIENT_ID', value: 'x' }],
      extraVolumes: [{ name: 'sas', secret: { secretName: 'sas' } }],
      extraVolumeMounts: [{ name: 'sas', mountPath: '/etc/sas', readOnly: true }],
    },
  });
  assert.deepEqual(schemaFaults(manifests), []);
  assert.equal(of(manifests, 'PersistentVolumeClaim').length + of(manifests, 'PersistentVolume').length, 0);
  const [scaler] = of(manifests, 'HorizontalPodAutoscaler');
  const [uploader] = of(manifests, 'Deployment', 'sluice-uploader');
  assert.equal(scaler.spec.scaleTargetRef.name, uploader.metadata.name);
  assert.equal(uploader.spec.replicas, undefined, 'the number is the scaler’s');
  const { containers, volumes } = uploader.spec.template.spec;
  assert.ok(volumes.some((volume: any) => volume.persistentVolumeClaim?.claimName === 'my-claim'));
  assert.ok(volumes.some((volume: any) => volume.secret?.secretName === 'sas'));
  assert.ok(containers[0].volumeMounts.some((mount: any) => mount.mountPath === '/etc/sas'));
  assert.ok(volumes.some((volume: any) => volume.secret?.secretName === 'my-sas'));
  const file = containers[0].env.find(({ name }: any) => name === 'APP_AZURE_SAS_FILE').value;
  assert.ok(containers[0].volumeMounts.some((mount: any) => file === `${mount.mountPath}/sas`));
  assert.ok(containers[0].env.some(({ name }: any) => name === 'AZURE_CLIENT_ID'));
  assert.ok(containers[0].envFrom.some((source: any) => source.secretRef?.name === 'my-azure'));
  const [api] = of(manifests, 'Deployment', 'sluice-api');
  const token = api.spec.template.spec.containers[0].env.find(({ name }: any) => name === 'APP_API_TOKEN');
  assert.deepEqual(token.valueFrom.secretKeyRef, { name: 'my-token', key: 'it' });
  const [ingress] = of(manifests, 'Ingress');
  assert.equal(ingress.spec.rules[0].http.paths[0].backend.service.name, 'sluice-api');
  const front = { namespace: 'ingress-nginx', labels: {} };
  assert.ok(mayEnter(manifests, api.spec.template.metadata.labels, front, 'http'));
});
