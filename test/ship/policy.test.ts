import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'yaml';
import { parseConfig, parseQuantity, unknownVariables, type Role } from '@app/shared/config';
import { test } from '../support/index.js';
import { ROOT } from './command.js';
import { of, render } from './manifests.js';
import { schemaFaults } from './schema.js';

const COMPONENTS = [
  'components/managed-redis',
  'components/api-without-volume',
  'components/ingress',
  'components/workload-identity',
  'components/egress-proxy',
  'components/staging-disk',
  'components/azure-files-identity',
  'components/keda',
  'components/keda-managed-redis',
  'observability',
];
const overlays = readdirSync(join(ROOT, 'k8s/overlays'));
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const GIB = 1024 ** 3;

/** What goes with an overlay: Azurite has no identities, and SMB alone has a key to do without. */
const fitting = (overlay: string) =>
  COMPONENTS.filter(
    (name) =>
      (overlay !== 'local' || name !== 'components/workload-identity') &&
      (overlay === 'azure-files' || name !== 'components/azure-files-identity'),
  );
/** `keda-managed-redis` has these two in it. */
const apart = (name: string) => !['components/managed-redis', 'components/keda'].includes(name);
/** Every overlay bare, with each component, and with all of them. */
const variants = overlays.flatMap((overlay) =>
  [
    [],
    ...fitting(overlay).map((component) => [component]),
    fitting(overlay).filter((name) => !name.endsWith('managed-redis')),
    fitting(overlay).filter(apart),
  ].map((components) => ({
    name: [overlay, ...components].join(' + '),
    overlay,
    components,
  })),
);

const podsOf = (manifests: any[]): any[] =>
  manifests.filter(({ kind }) => ['Deployment', 'StatefulSet', 'Job'].includes(kind));
const only = (manifests: any[], kind: string, name: string): any => {
  const found = of(manifests, kind, name);
  assert.equal(found.length, 1, `one ${kind} ${name}`);
  return found[0];
};

/** What a process finds in its environment; what a Secret gives is made up. */
function environmentOf(manifests: any[], role: Role): Record<string, string> {
  const [container] = only(manifests, 'Deployment', `sluice-${role}`).spec.template.spec.containers;
  const settings = only(manifests, 'ConfigMap', 'sluice-settings');
  assert.equal(container.envFrom[0].configMapRef.name, settings.metadata.name);
  const own = (container.env ?? []).map(({ name, value }: any) => [
    name,
    value?.replace('$(REDIS_PASSWORD)', 'secret') ??
      (name === 'APP_REDIS_URL' ? 'rediss://:secret@redis.example:6380/0' : 'secret'),
  ]);
  const secret = container.envFrom.some((source: any) => source.secretRef)
    ? { APP_AZURE_ACCOUNT_NAME: 'account', APP_AZURE_ACCOUNT_KEY: 'a2V5' }
    : {};
  return { APP_BIND: '0.0.0.0', ...settings.data, ...secret, ...Object.fromEntries(own) };
}

for (const { name, overlay, components } of variants) {
  test(`policy: ${name}`, () => {
    const manifests = render(`overlays/${overlay}`, components);
    assert.deepEqual(schemaFaults(manifests), []);
    checkPods(manifests);
    checkSettings(manifests);
    checkVolume(manifests);
    checkDoors(manifests);
    // the claim's name is one for all, and no secret stands in clear
    assert.equal(of(manifests, 'Secret').length, 0, 'Secrets are made by hand, never kept in files');
    const known = JSON.stringify(manifests).replaceAll(':$(REDIS_PASSWORD)@', '');
    assert.doesNotMatch(known, /AccountKey=|Eby8vdM|:\/\/[^/"]*:[^/"@]+@/);
    checkScanners(manifests);
    for (const role of ['api', 'scanner', 'uploader'])
      only(manifests, 'PodDisruptionBudget', `sluice-${role}`);
    const managed = components.some((component) => component.endsWith('managed-redis'));
    assert.equal(of(manifests, 'StatefulSet', 'sluice-redis').length, managed ? 0 : 1);
    if (!managed) checkRedis(manifests);
    else assert.doesNotMatch(known, /sluice-redis[.:]/, 'no address names the Redis that is left out');
    if (components.includes('components/api-without-volume'))
      assert.doesNotMatch(JSON.stringify(only(manifests, 'Deployment', 'sluice-api')), /sluice-nfs/);
    if (components.some((component) => component.includes('keda'))) checkScaling(manifests, managed);
    if (components.includes('components/workload-identity')) {
      const environment = environmentOf(manifests, 'uploader');
      assert.equal(environment.APP_AZURE_CREDENTIAL, 'identity');
      assert.equal(environment.AZURE_TOKEN_CREDENTIALS, 'WorkloadIdentityCredential');
    }
  });
}

function checkPods(manifests: any[]): void {
  for (const { kind, metadata, spec } of podsOf(manifests)) {
    const pod = spec.template.spec;
    const what = `${kind} ${metadata.name}`;
    assert.equal(metadata.namespace, 'sluice', what);
    assert.equal(pod.securityContext.runAsNonRoot, true, what);
    assert.ok(pod.securityContext.runAsUser > 0, what);
    assert.deepEqual(pod.nodeSelector, { 'kubernetes.io/os': 'linux' }, what);
    // a chown of the shared volume fails under root squash, and with it the mount; a disk of one pod needs it
    const ownDisk = kind === 'StatefulSet' || pod.volumes.some((volume: any) => volume.ephemeral);
    assert.equal(pod.securityContext.fsGroup !== undefined, ownDisk, `${what}: fsGroup`);
    assert.equal(pod.securityContext.seccompProfile.type, 'RuntimeDefault', what);
    assert.equal(pod.automountServiceAccountToken, false, what);
    for (const container of pod.containers) {
      const { resources, securityContext: context } = container;
      assert.deepEqual(context.capabilities.drop, ['ALL'], what);
      assert.equal(context.allowPrivilegeEscalation, false, what);
      assert.equal(context.readOnlyRootFilesystem, true, what);
      for (const sizes of [resources.requests, resources.limits]) assert.ok(sizes.cpu && sizes.memory, what);
      assert.ok((parseQuantity(resources.limits.memory) ?? Infinity) <= GIB, `${what}: at most 1 GiB`);
      assert.match(container.image, /:\d[\w.-]*$/, `${what}: a pinned image`);
      if (container.image.startsWith('sluice')) assert.equal(container.image, `sluice:${version}`);
      if (kind === 'Job') continue;
      for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe'])
        assert.ok(container[probe], `${what}: ${probe}`);
      const { periodSeconds, timeoutSeconds, failureThreshold } = container.livenessProbe;
      assert.deepEqual([periodSeconds, timeoutSeconds, failureThreshold], [60, 15, 5], what);
    }
  }
}

function checkSettings(manifests: any[]): void {
  for (const role of ['api', 'scanner', 'uploader'] as const) {
    const environment = environmentOf(manifests, role);
    const config = parseConfig(role, environment);
    assert.deepEqual(unknownVariables(environment), []);
    assert.match(config.redis.url, /\/\d+$/, 'the database number is said');
    const pod = only(manifests, 'Deployment', `sluice-${role}`).spec.template.spec;
    const preStopS = Number(pod.containers[0].lifecycle?.preStop?.exec.command.at(-1) ?? 0);
    assert.ok(
      pod.terminationGracePeriodSeconds * 1000 > config.shutdownGraceMs + 5000 + preStopS * 1000,
      `${role}: the drain time is above the shutdown grace`,
    );
    if (role !== 'uploader') continue;
    const { emptyDir, ephemeral } = pod.volumes.find(({ name }: any) => name === 'staging');
    const size = emptyDir?.sizeLimit ?? ephemeral.volumeClaimTemplate.spec.resources.requests.storage;
    const { limits } = pod.containers[0].resources;
    const staging = config.staging.limitBytes ?? Infinity;
    assert.ok((parseQuantity(size) ?? 0) > staging, 'the staging disk is above APP_STAGING_LIMIT');
    if (emptyDir)
      assert.ok((parseQuantity(limits['ephemeral-storage']) ?? 0) >= (parseQuantity(size) ?? Infinity));
    assert.ok(pod.topologySpreadConstraints.length > 0);
  }
}

/** The volume is one for all, and what is cached of it is younger than the age rule. */
function checkVolume(manifests: any[]): void {
  const claim = only(manifests, 'PersistentVolumeClaim', 'sluice-nfs');
  assert.deepEqual(claim.spec.accessModes, ['ReadWriteMany']);
  for (const role of ['scanner', 'uploader']) {
    const { volumes } = only(manifests, 'Deployment', `sluice-${role}`).spec.template.spec;
    assert.ok(volumes.some((volume: any) => volume.persistentVolumeClaim?.claimName === claim.metadata.name));
  }
  const { spec } = only(manifests, 'Deployment', 'sluice-api').spec.template;
  for (const mount of spec.containers[0].volumeMounts ?? []) assert.equal(mount.readOnly, true);
  const { minFileAgeMs } = parseConfig('scanner', environmentOf(manifests, 'scanner')).scan;
  const options = [...of(manifests, 'PersistentVolume'), ...of(manifests, 'StorageClass')].map(
    ({ mountOptions, spec: volume }) => mountOptions ?? volume?.mountOptions,
  );
  for (const list of options.filter(Boolean)) {
    const cacheS = Number(
      /^actimeo=(\d+)$/.exec(list.find((option: string) => /^actimeo/.test(option)))?.[1],
    );
    assert.ok(cacheS * 1000 < minFileAgeMs, `attribute cache of ${cacheS} s`);
  }
}

function checkDoors(manifests: any[]): void {
  const policies = of(manifests, 'NetworkPolicy');
  const shut = policies.find(({ metadata }) => metadata.name === 'sluice-nothing');
  assert.deepEqual(shut.spec.podSelector, {});
  for (const { metadata, spec } of policies)
    for (const rule of spec.ingress ?? [])
      assert.ok(rule.from?.length > 0 && rule.ports?.length > 0, `${metadata.name} says who and where`);
  const [{ metadata }] = of(manifests, 'Namespace');
  assert.equal(metadata.labels['pod-security.kubernetes.io/enforce'], 'restricted');
}

function checkRedis(manifests: any[]): void {
  const redis = only(manifests, 'StatefulSet', 'sluice-redis');
  const args = redis.spec.template.spec.containers[0].args.join(' ');
  assert.match(args, /--appendonly yes/);
  assert.match(args, /--maxmemory-policy noeviction/);
  const service = only(manifests, 'Service', 'sluice-redis');
  const secret = { secretKeyRef: { name: 'sluice-redis', key: 'password' } };
  const [container] = redis.spec.template.spec.containers;
  assert.match(container.image, /^valkey\/valkey:8\./);
  const asked = container.env.find(({ valueFrom }: any) => isDeepStrictEqual(valueFrom, secret));
  assert.ok(args.includes(`--requirepass $(${asked?.name})`), 'its password comes from a Secret');
  assert.doesNotMatch(args, /protected-mode/);
  for (const role of ['api', 'scanner', 'uploader']) {
    const [{ env }] = only(manifests, 'Deployment', `sluice-${role}`).spec.template.spec.containers;
    const names = env.map(({ name }: any) => name);
    assert.ok(
      names.indexOf('REDIS_PASSWORD') < names.indexOf('APP_REDIS_URL'),
      'it is known before it is used',
    );
    assert.deepEqual(env.find(({ name }: any) => name === 'REDIS_PASSWORD').valueFrom, secret);
    const { value } = env.find(({ name }: any) => name === 'APP_REDIS_URL');
    assert.equal(value, `redis://:$(REDIS_PASSWORD)@${service.metadata.name}:6379/0`);
  }
}

/** Two, apart from each other; a new one stands by before an old one goes. */
function checkScanners(manifests: any[]): void {
  const { spec } = only(manifests, 'Deployment', 'sluice-scanner');
  assert.equal(spec.replicas, 2);
  assert.deepEqual(spec.strategy, { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } });
  const [spread] = spec.template.spec.topologySpreadConstraints;
  assert.deepEqual(spread.labelSelector.matchLabels, { 'app.kubernetes.io/name': 'sluice-scanner' });
}

function checkScaling(manifests: any[], managed: boolean): void {
  const { spec } = only(manifests, 'ScaledObject', 'sluice-uploader');
  const keys = spec.triggers.map((trigger: any) => trigger.metadata.listName);
  assert.deepEqual(
    keys,
    ['wait', 'delayed', 'active'].map((state) => `{sluice}:upload:${state}`),
  );
  assert.equal(spec.minReplicaCount, 0);
  assert.ok(spec.fallback.replicas > 0, 'where Redis cannot be asked, files still move');
  const { spec: credentials } = only(manifests, 'TriggerAuthentication', 'sluice-redis');
  const parameters = credentials.secretTargetRef.map(({ parameter }: any) => parameter);
  assert.deepEqual(parameters, managed ? ['password', 'address'] : ['password']);
  for (const { metadata, authenticationRef } of spec.triggers) {
    assert.deepEqual(authenticationRef, { name: 'sluice-redis' });
    assert.equal(metadata.enableTLS, managed ? 'true' : undefined);
    assert.equal(metadata.address, managed ? undefined : 'sluice-redis.sluice.svc:6379');
  }
  assert.equal(of(manifests, 'NetworkPolicy', 'sluice-redis-from-keda').length, managed ? 0 : 1);
  assert.equal(only(manifests, 'Deployment', 'sluice-uploader').spec.replicas, undefined);
}

test('policy: the storage canary', () => {
  const manifests = render('canary');
  assert.deepEqual(schemaFaults(manifests), []);
  checkPods(manifests);
  const { spec } = only(manifests, 'Job', 'storage-canary');
  assert.deepEqual([spec.completions, spec.parallelism, spec.backoffLimit], [3, 2, 0]);
  assert.equal(spec.template.spec.volumes[0].persistentVolumeClaim.claimName, 'sluice-nfs');
});

test('policy: an unknown field or a wrong value does not pass', () => {
  const [claim] = of(render('base'), 'PersistentVolumeClaim');
  assert.match(schemaFaults([{ ...claim, sepc: {} }]).join(), /sepc/);
  assert.notDeepEqual(schemaFaults([{ ...claim, spec: { accessModes: 'ReadWriteMany' } }]), []);
  const foreign = render('overlays/nfs', ['components/keda', 'observability']);
  for (const kind of ['ScaledObject', 'ServiceMonitor', 'PrometheusRule']) {
    const [manifest] = of(foreign, kind);
    assert.match(schemaFaults([{ ...manifest, sepc: {} }]).join(), /sepc/, kind);
    assert.notDeepEqual(schemaFaults([{ ...manifest, spec: 'none' }]), [], kind);
  }
});

test('policy: the compose file', () => {
  const { services } = parse(readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8'), { merge: true });
  for (const role of ['api', 'scanner', 'uploader'] as const) {
    const { image, environment, stop_grace_period, read_only, cap_drop, restart, depends_on } =
      services[role];
    const config = parseConfig(role, { APP_BIND: '0.0.0.0', ...environment });
    assert.equal(image, `sluice:${version}`);
    assert.ok(parseInt(stop_grace_period, 10) * 1000 > config.shutdownGraceMs + 5000);
    assert.deepEqual([read_only, cap_drop, restart], [true, ['ALL'], 'unless-stopped']);
    assert.ok(depends_on.redis);
  }
  const published = Object.values<any>(services).flatMap(({ ports = [] }) => ports);
  assert.equal(published.length, 2);
  for (const port of published) assert.match(port, /^127\.0\.0\.1:/);
  assert.ok(
    services.uploader.volumes.includes('/mnt/staging'),
    'staging has no name, so each replica has one',
  );
});
