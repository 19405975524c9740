import assert from 'node:assert/strict';
import { test } from '../support/index.js';
import { of, render } from './manifests.js';
import { mayEnter } from './network.js';
import { schemaFaults } from './schema.js';

const app = { 'app.kubernetes.io/name': 'sluice-scanner', 'sluice/app': 'sluice' };
const from = (namespace: string) => ({ namespace, labels: {} });

test('policy: monitor and rules are found by kube-prometheus-stack, and look into their own namespace alone', () => {
  const manifests = render('overlays/nfs', ['observability']);
  for (const kind of ['ServiceMonitor', 'PrometheusRule']) {
    const [{ metadata, spec }] = of(manifests, kind);
    assert.equal(metadata.labels.release, 'kube-prometheus-stack', kind);
    assert.equal(spec.namespaceSelector, undefined, `${kind}: an overlay may choose another namespace`);
  }
  assert.ok(mayEnter(manifests, app, from('monitoring'), 'http'));
  const [{ spec }] = of(manifests, 'PrometheusRule');
  for (const { alert, annotations } of spec.groups[0].rules)
    assert.match(annotations.runbook_url, /^https:\/\/\S+\/docs\/operate\.md#\w+$/, alert);
});

test('policy: Azure Managed Prometheus gets its own kind of monitor, and nothing that its add-on does not know', () => {
  const manifests = render('overlays/azure-files-nfs', ['observability-azure']);
  assert.deepEqual(schemaFaults(manifests), []);
  const groups = manifests.map(({ apiVersion }) => apiVersion).filter((name) => name.includes('coreos'));
  assert.deepEqual(groups, ['azmonitoring.coreos.com/v1']);
  const [{ spec }] = of(manifests, 'ServiceMonitor');
  const [{ metadata }] = of(manifests, 'Service', 'sluice-metrics');
  assert.deepEqual(spec.selector.matchLabels, { 'app.kubernetes.io/name': metadata.name });
  assert.equal(metadata.labels['app.kubernetes.io/name'], metadata.name);
  assert.equal(of(manifests, 'ConfigMap', 'sluice-dashboard').length, 0);
  assert.ok(mayEnter(manifests, app, from('kube-system'), 'http'));
  assert.ok(!mayEnter(manifests, app, from('monitoring'), 'http'));
});
