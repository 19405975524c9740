import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { test } from '../support/index.js';

const run = promisify(execFile);
const ROOT = resolve(__dirname, '../../..');
const FOLDER = join(ROOT, 'k8s/observability');
const read = (name: string) => readFileSync(join(FOLDER, name), 'utf8');
const alertsIn = (text: string) => [...text.matchAll(/^ *- alert: (\w+)$/gm)].map(([, name]) => name ?? '');

test('the alert rules are well formed, and each fires and rests when it should', async () => {
  await run('promtool', ['check', 'rules', '--lint-fatal', join(FOLDER, 'alerts.yaml')]);
  const { stdout } = await run('promtool', ['test', 'rules', join(FOLDER, 'alerts.test.yaml')]);
  assert.match(stdout, /SUCCESS/);
  const tests = read('alerts.test.yaml');
  for (const alert of alertsIn(read('alerts.yaml'))) {
    const looked = [
      ...tests.matchAll(new RegExp(`alertname: ${alert}\\b[\\s\\S]{0,40}?exp_alerts:(.*)`, 'g')),
    ];
    assert.ok(
      looked.some(([, expected]) => expected?.includes('[]')),
      `${alert} is seen at rest`,
    );
    assert.ok(
      looked.some(([, expected]) => !expected?.includes('[]')),
      `${alert} is seen firing`,
    );
  }
});

test('the operator gets the same rules as a plain Prometheus', () => {
  const [, spec = ''] = read('prometheusrule.yaml').split(/^spec:\n/m);
  assert.equal(spec, read('alerts.yaml').replace(/^(?=.)/gm, '  '));
});

test('each alert has its part in the runbook, where its link leads', () => {
  const runbook = readFileSync(join(ROOT, 'docs/operate.md'), 'utf8');
  const alerts = alertsIn(read('alerts.yaml'));
  assert.ok(alerts.length > 10);
  for (const alert of alerts) {
    assert.match(runbook, new RegExp(`^### ${alert}$`, 'm'));
    const link = `runbook_url: https://sluice.example/docs/operate.md#${alert.toLowerCase()}\n`;
    assert.ok(read('alerts.yaml').includes(link), alert);
  }
});

test('no alert sums over installations, and none is silent while another one is well', () => {
  const expressions = read('alerts.yaml')
    .split(/^ +- alert: /m)
    .slice(1);
  for (const rule of expressions) {
    const [alert = ''] = rule.split('\n', 1);
    assert.doesNotMatch(rule, /\b(?:sum|max|min|count|group)\s*\(/, `${alert} aggregates by namespace`);
    assert.doesNotMatch(rule, /\bon \(\)/, `${alert} joins by namespace`);
    for (const [, by] of rule.matchAll(/\bby \(([^)]*)\)/g)) assert.match(by ?? '', /\bnamespace\b/, alert);
    // absent() says that no installation is left at all; the rest of its rule looks at each
    if (rule.includes('absent('))
      assert.match(rule, /by \(namespace\)[\s\S]*\bor absent\(last_over_time/, alert);
  }
});

test('the dashboard asks the data source that its reader chooses, and its panels do not overlap', () => {
  interface Panel {
    id: number;
    type: string;
    title: string;
    gridPos: { x: number; y: number; w: number; h: number };
    datasource?: { uid: string };
    targets?: { expr: string; datasource: { uid: string } }[];
  }
  const dashboard = JSON.parse(read('dashboard.json')) as {
    panels: Panel[];
    templating: { list: { name: string; type: string; query: string | { query: string } }[] };
  };
  assert.deepEqual(
    dashboard.templating.list.map(({ name, type }) => [name, type]),
    [
      ['datasource', 'datasource'],
      ['namespace', 'query'],
    ],
  );
  const taken = new Map<string, string>();
  for (const panel of dashboard.panels) {
    const { x, y, w, h } = panel.gridPos;
    assert.ok(x + w <= 24, panel.title);
    for (let row = y; row < y + h; row++)
      for (let column = x; column < x + w; column++) {
        assert.equal(taken.get(`${column},${row}`), undefined, panel.title);
        taken.set(`${column},${row}`, panel.title);
      }
    if (panel.type === 'row') continue;
    for (const { datasource, expr } of panel.targets ?? []) {
      assert.equal(datasource.uid, '${datasource}', panel.title);
      const metrics = expr.match(/\b(?:sluice|process)_[a-z_]+(?:\{[^}]*\})?/g) ?? [];
      assert.ok(metrics.length > 0, panel.title);
      for (const metric of metrics)
        assert.ok(metric.includes('{namespace=~"$namespace"'), `${panel.title}: ${metric}`);
    }
  }
  assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length);
});
