import assert from 'node:assert/strict';
import { test } from '../support/index.js';
import { of, render } from './manifests.js';
import { mayEnter, mayReach } from './network.js';
import { schemaFaults } from './schema.js';

const ROLES = ['api', 'scanner', 'uploader'] as const;
const app = (role: string) => ({ 'app.kubernetes.io/name': `sluice-${role}`, 'sluice/app': 'sluice' });
const outside = (address: string) => ({ address });
const pod = (namespace: string, name = 'any') => ({ namespace, labels: { 'app.kubernetes.io/name': name } });

test('policy: names are resolved by the pods of kube-system, a cache on the node, and LocalDNS of AKS', () => {
  const manifests = render('base');
  for (const role of [...ROLES, 'redis']) {
    assert.ok(mayReach(manifests, app(role), pod('kube-system', 'kube-dns'), 53), role);
    for (const resolver of ['169.254.20.10', '169.254.10.10', '169.254.10.11']) {
      assert.ok(mayReach(manifests, app(role), outside(resolver), 53), `${role}: ${resolver}`);
      assert.ok(
        !mayReach(manifests, app(role), outside(resolver), 80),
        `${role}: ${resolver} only for names`,
      );
    }
    assert.ok(
      !mayReach(manifests, app(role), outside('169.254.169.254'), 53),
      `${role}: no other link-local`,
    );
  }
});

test('policy: with an egress proxy the pods go out through it alone, and trust its authority', () => {
  const manifests = render('overlays/nfs', ['components/egress-proxy']);
  assert.deepEqual(schemaFaults(manifests), []);
  const [settings] = of(manifests, 'ConfigMap', 'sluice-settings');
  const proxy = new URL(settings.data.HTTPS_PROXY);
  assert.equal(proxy.username, '', 'a password would stand in a Secret');
  for (const role of ['uploader', 'api']) {
    assert.ok(mayReach(manifests, app(role), outside('10.1.2.3'), Number(proxy.port)), role);
    assert.ok(
      mayReach(manifests, app(role), pod('proxies'), Number(proxy.port)),
      `${role}: a proxy in a pod`,
    );
  }
  assert.ok(!mayReach(manifests, app('scanner'), outside('10.1.2.3'), Number(proxy.port)));
  assert.ok(mayReach(manifests, app('uploader'), outside('10.1.2.3'), 443), 'a private endpoint');
  assert.ok(!mayReach(manifests, app('uploader'), outside('20.60.1.2'), 443), 'nothing past the proxy');
  const direct = settings.data.NO_PROXY.split(',');
  for (const name of ['localhost', '.svc', '.cluster.local', '169.254.169.254'])
    assert.ok(direct.includes(name), `NO_PROXY has ${name}`);
  for (const role of ['uploader', 'api']) {
    const { spec } = of(manifests, 'Deployment', `sluice-${role}`)[0].spec.template;
    const [container] = spec.containers;
    const mount = container.volumeMounts.find(({ name }: any) => name === 'proxy-ca');
    const volume = spec.volumes.find(({ name }: any) => name === 'proxy-ca');
    const { value } = container.env.find(({ name }: any) => name === 'NODE_EXTRA_CA_CERTS');
    assert.equal(value, `${mount.mountPath}/ca.crt`);
    assert.deepEqual(volume.configMap, { name: 'sluice-proxy-ca', optional: true });
    assert.equal(mount.readOnly, true);
  }
});

test('policy: KEDA reads the bundled Redis from a namespace of its own and from kube-system, as the add-on of AKS does', () => {
  const redis = { 'app.kubernetes.io/name': 'sluice-redis' };
  const bare = render('overlays/nfs');
  const scaled = render('overlays/nfs', ['components/keda']);
  for (const namespace of ['keda', 'kube-system']) {
    assert.ok(!mayEnter(bare, redis, pod(namespace), 6379));
    assert.ok(mayEnter(scaled, redis, pod(namespace), 6379), namespace);
  }
  assert.ok(!mayEnter(scaled, redis, pod('default'), 6379));
});
