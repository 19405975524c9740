import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { parse } from 'yaml';
import { parseConfig, parseQuantity, unknownVariables, type Role } from '@app/shared/config';
import { ROOT } from './command.js';
import { of, render } from './manifests.js';
import { schemaFaults } from './schema.js';

const COMPONENTS = [
  'components/managed-redis',
  'components/api-without-volume',
  'components/workload-identity',
  'components/egress-proxy',
  'components/keda',
  'observability',
];
const overlays = readdirSync(join(ROOT, 'k8s/overlays'));
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const GIB = 1024 ** 3;

/** What goes with an overlay: Azurite has no identities. */
const fitting = (overlay: string) =>
  COMPONENTS.filter((name) => overlay !== 'local' || name !== 'components/workload-identity');
/** Every overlay bare, with each component, and with all of them. */
const variants = overlays.flatMap((overlay) =>
  [[], ...fitting(overlay).map((component) => [component]), fitting(overlay)].map((components) => ({
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
    value ?? (name === 'APP_REDIS_URL' ? 'rediss://:secret@redis.example:6380/0' : 'secret'),
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
    assert.doesNotMatch(JSON.stringify(manifests), /AccountKey=|Eby8vdM|:\/\/[^/"]*:[^/"@]+@/);
    assert.equal(only(manifests, 'Deployment', 'sluice-scanner').spec.replicas, 1);
    assert.equal(only(manifests, 'Deployment', 'sluice-scanner').spec.strategy.type, 'Recreate');
    for (const role of ['api', 'uploader']) only(manifests, 'PodDisruptionBudget', `sluice-${role}`);
    const managed = components.includes('components/managed-redis');
    assert.equal(of(manifests, 'StatefulSet', 'sluice-redis').length, managed ? 0 : 1);
    if (!managed) checkRedis(manifests);
    if (components.includes('components/api-without-volume'))
      assert.doesNotMatch(JSON.stringify(only(manifests, 'Deployment', 'sluice-api')), /sluice-nfs/);
    if (components.includes('components/keda')) checkScaling(manifests);
  });
}

function checkPods(manifests: any[]): void {
  for (const { kind, metadata, spec } of podsOf(manifests)) {
    const pod = spec.template.spec;
    const what = `${kind} ${metadata.name}`;
    assert.equal(metadata.namespace, 'sluice', what);
    assert.equal(pod.securityContext.runAsNonRoot, true, what);
    assert.ok(pod.securityContext.runAsUser > 0 && pod.securityContext.fsGroup > 0, what);
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
    const { sizeLimit } = pod.volumes.find((volume: any) => volume.emptyDir).emptyDir;
    const { limits } = pod.containers[0].resources;
    const staging = config.staging.limitBytes ?? Infinity;
    assert.ok((parseQuantity(sizeLimit) ?? 0) > staging, 'sizeLimit is above APP_STAGING_LIMIT');
    assert.ok((parseQuantity(limits['ephemeral-storage']) ?? 0) >= (parseQuantity(sizeLimit) ?? Infinity));
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
  const host = new URL(environmentOf(manifests, 'scanner').APP_REDIS_URL ?? '').hostname;
  const service = only(manifests, 'Service', 'sluice-redis');
  assert.equal(host, `${service.metadata.name}.${service.metadata.namespace}.svc.cluster.local`);
}

function checkScaling(manifests: any[]): void {
  const { spec } = only(manifests, 'ScaledObject', 'sluice-uploader');
  const keys = spec.triggers.map((trigger: any) => trigger.metadata.listName);
  assert.deepEqual(
    keys,
    ['wait', 'delayed', 'active'].map((state) => `{sluice}:upload:${state}`),
  );
  assert.equal(spec.minReplicaCount, 0);
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
