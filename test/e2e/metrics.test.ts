import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Child, freePort, test, until, World } from '../support/index.js';

const OBSERVABILITY = resolve(__dirname, '../../../k8s/observability');

interface PrometheusAnswer {
  readonly data: {
    readonly result: { metric: Record<string, string>; value: [number, string] }[];
    readonly groups: { rules: { name: string; health: string; state: string; lastError?: string }[] }[];
  };
}

test('the metrics of all roles pass the linter, and have all that alerts and dashboard ask for', async (t) => {
  const world = await World.make(t);
  await world.startSession('m');
  world.drop('a.bin', 9_000_000);
  await world.done(1);
  const names = new Set<string>();
  for (const app of world.apps) {
    const metrics = await until('disks are sampled', async () => {
      const text = await (await fetch(`http://127.0.0.1:${app.port}/metrics`)).text();
      return app.role === 'api' || text.includes('sluice_disk_free_bytes{disk="volume"') ? text : null;
    });
    const { status, stderr, stdout } = spawnSync('promtool', ['check', 'metrics'], {
      input: metrics,
      encoding: 'utf8',
    });
    assert.deepEqual({ status, said: `${stdout}${stderr}` }, { status: 0, said: '' }, app.role);
    for (const [, name = ''] of metrics.matchAll(/^([a-z_]+)\{/gm)) names.add(name);
  }
  const asked = ['alerts.yaml', 'dashboard.json']
    .flatMap(
      (file) =>
        readFileSync(join(OBSERVABILITY, file), 'utf8').match(/\b(?:sluice|process)_[a-z_]+\b/g) ?? [],
    )
    .filter((name) => name !== 'sluice_file_operation_errors_total'); // none failed here
  assert.ok(asked.length > 40);
  assert.deepEqual(
    [...new Set(asked)].filter((name) => !names.has(name)),
    [],
  );
});

test('a real Prometheus scrapes all roles, takes the rules, and raises none while all is well', async (t) => {
  const world = await World.make(t);
  await world.startSession('m');
  world.drop('a.bin', 1000);
  await world.done(1);
  const config = join(world.folder, 'prometheus.json');
  const targets = world.apps.map((app) => `127.0.0.1:${app.port}`);
  // JSON is YAML
  writeFileSync(
    config,
    JSON.stringify({
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: [join(OBSERVABILITY, 'alerts.yaml')],
      scrape_configs: [{ job_name: 'sluice', static_configs: [{ targets }] }],
    }),
  );
  const port = await freePort();
  const prometheus = new Child(
    'prometheus',
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(world.folder, 'prometheus')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { PATH: process.env.PATH ?? '' },
  );
  t.after(() => prometheus.kill());
  const ask = async (path: string) =>
    (await (await fetch(`http://127.0.0.1:${port}/api/v1/${path}`)).json()) as PrometheusAnswer;
  await until('all three are scraped', async () => {
    const { data } = await ask('query?query=up%20==%201');
    return data.result.length === 3;
  });
  const { data } = await ask(`query?query=${encodeURIComponent('sum(sluice_files_total{outcome="done"})')}`);
  assert.equal(data.result[0]?.value[1], '1');
  const rules = await until('every rule was evaluated', async () => {
    const all = (await ask('rules')).data.groups.flatMap((group) => group.rules);
    return all.length > 0 && all.every(({ health }) => health !== 'unknown') ? all : null;
  });
  for (const { name, health, state, lastError } of rules) {
    assert.equal(health, 'ok', `${name}: ${lastError}`);
    assert.notEqual(state, 'firing', name);
  }
});
