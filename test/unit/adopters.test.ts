import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { test } from '../support/index.js';

const ROOT = resolve(__dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const there = (path: string): boolean => existsSync(join(ROOT, path));
const { version, license, scripts } = JSON.parse(read('package.json')) as {
  version: string;
  license: string;
  scripts: Record<string, string>;
};

interface Step {
  readonly id?: string;
  readonly uses?: string;
  readonly run?: string;
}
interface Job {
  readonly permissions?: Record<string, 'read' | 'write' | 'none'>;
  readonly needs?: string | string[];
  readonly outputs?: Record<string, string>;
  readonly container?: { image: string };
  readonly 'timeout-minutes'?: number;
  readonly uses?: string;
  readonly steps?: Step[];
}
interface Workflow {
  readonly permissions?: unknown;
  readonly defaults?: unknown;
  readonly jobs: Record<string, Job>;
}

const FOLDERS = readdirSync(ROOT, { withFileTypes: true }).filter((entry) => entry.isDirectory());
const FIRST = FOLDERS.map(({ name }) => name.replaceAll('.', '\\.')).join('|');
/** Paths that begin with a folder of this repository, as they stand in a command or a sentence. */
const pathsIn = (text: string): string[] =>
  [...text.matchAll(new RegExp(`(?<![\\w./-])(?:\\./)?(?:${FIRST})/[\\w./-]*\\w`, 'g'))].map(
    ([path]) => path,
  );

function namesWhatIsThere(text: string, where: string): void {
  for (const [, name = ''] of text.matchAll(/\bnpm run (?:--silent )?([\w:]+)/g))
    assert.ok(name in scripts, `${where}: npm run ${name}`);
  if (/\bnpm test\b/.test(text)) assert.ok('test' in scripts);
  for (const path of pathsIn(text)) assert.ok(there(path), `${where}: ${path}`);
}

const LEVELS = ['read', 'write', 'none'];
const WRITES: Readonly<Record<string, readonly string[]>> = {
  'release.yml image': ['packages', 'id-token', 'attestations'],
  'release.yml chart': ['packages', 'id-token', 'attestations'],
  'release.yml publish': ['contents'],
};

for (const file of readdirSync(join(ROOT, '.github/workflows'))) {
  const text = read(`.github/workflows/${file}`);
  const workflow = parse(text) as Workflow;
  const jobs = Object.entries(workflow.jobs);

  test(`${file}: each job has the permissions that it needs, and writes where it must alone`, () => {
    assert.deepEqual(workflow.permissions, {}, 'nothing by default');
    for (const [name, { permissions = {} }] of jobs) {
      assert.ok(Object.keys(permissions).length > 0, `${name} states its permissions`);
      assert.ok(Object.values(permissions).every((level) => LEVELS.includes(level)));
      const writes = Object.keys(permissions).filter((scope) => permissions[scope] === 'write');
      assert.deepEqual(writes, WRITES[`${file} ${name}`] ?? [], name);
    }
  });

  test(`${file}: what it names is there, and no value is pasted into a command`, () => {
    assert.deepEqual(workflow.defaults, { run: { shell: 'bash' } }, 'a broken pipe fails');
    for (const [name, job] of jobs) {
      assert.ok(job.uses ?? job['timeout-minutes'], `${name} ends`);
      if (job.uses) assert.ok(there(job.uses), job.uses);
      for (const { run = '' } of job.steps ?? []) {
        namesWhatIsThere(run, `${file} ${name}`);
        assert.doesNotMatch(
          run,
          /\$\{\{/,
          `${name}: by an environment variable, which is never read as a command`,
        );
      }
    }
  });

  test(`${file}: actions are pinned by commit, with the release behind`, () => {
    const used = [...text.matchAll(/^ +(?:- )?uses: (.+)$/gm)].map(([, action = '']) => action);
    for (const action of used)
      assert.match(action, /^(?:\.\/.+|docker:\/\/\S+:\d\S*|[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$/);
    const commits = new Map(used.map((action) => action.split('@') as [string, string]));
    for (const action of used) assert.equal(commits.get(action.split('@')[0]!), action.split('@')[1], action);
  });

  test(`${file}: every output that is asked for is one that is made`, () => {
    for (const [name, job] of jobs) {
      const needs = [job.needs ?? []].flat();
      for (const before of needs) assert.ok(before in workflow.jobs, `${name} needs ${before}`);
      const ids = (job.steps ?? []).map(({ id }) => id);
      const words = JSON.stringify(job);
      for (const [, step] of words.matchAll(/\bsteps\.([\w-]+)\./g))
        assert.ok(ids.includes(step), `${name}: ${step}`);
      for (const [, before = '', output = ''] of words.matchAll(/\bneeds\.([\w-]+)\.outputs\.([\w-]+)/g))
        assert.ok(
          needs.includes(before) && workflow.jobs[before]?.outputs?.[output],
          `${name}: ${before}.${output}`,
        );
    }
  });
}

test('CI runs .ci/run on Node 20, and a release waits for it', () => {
  const ci = parse(read('.github/workflows/ci.yml')) as Workflow;
  const runs = Object.values(ci.jobs).find(({ steps }) => steps?.some(({ run }) => run === 'bash .ci/run'));
  assert.match(runs?.container?.image ?? '', /^node:20-/);
  const { jobs } = parse(read('.github/workflows/release.yml')) as Workflow;
  assert.equal(jobs.ci?.uses, './.github/workflows/ci.yml');
  const waits = (name: string): boolean =>
    [jobs[name]?.needs ?? []].flat().some((before) => before === 'ci' || waits(before));
  for (const name of ['image', 'chart', 'publish']) assert.ok(waits(name), name);
});

test('one version everywhere, and its notes are what the changelog says', () => {
  const notes = (...args: string[]) =>
    spawnSync(process.execPath, [join(ROOT, 'scripts/release-notes.mjs'), ...args], { encoding: 'utf8' });
  const { status, stdout, stderr } = notes(`v${version}`, 'https://example.org/blob');
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^### /);
  assert.doesNotMatch(stdout, /^## /m);
  assert.match(stdout, /\]\(https:\/\/example\.org\/blob\/docs\/deploy\.md#/);
  for (const wrong of ['v0.0.1', version, 'v1', '']) {
    const refused = notes(wrong);
    assert.deepEqual([refused.status, refused.stdout], [1, ''], wrong);
    assert.match(refused.stderr, /must be v and the version/);
  }
  assert.ok(notes('v0.0.1').stderr.includes(`charts/sluice/Chart.yaml: ${version}`));
});

for (const page of ['CONTRIBUTING.md', 'SECURITY.md', '.github/pull_request_template.md'])
  test(`${page} names commands and files that are there`, () => namesWhatIsThere(read(page), page));

test('each issue form asks for something, in fields of names of their own', () => {
  for (const file of readdirSync(join(ROOT, '.github/ISSUE_TEMPLATE')).filter(
    (name) => name !== 'config.yml',
  )) {
    const form = parse(read(`.github/ISSUE_TEMPLATE/${file}`));
    assert.ok(form.name && form.description, file);
    const ids = form.body.flatMap(({ id }: { id?: string }) => id ?? []);
    assert.equal(new Set(ids).size, ids.length);
    for (const { type, attributes } of form.body) {
      assert.ok(['markdown', 'textarea', 'input', 'dropdown'].includes(type), type);
      assert.ok(type === 'markdown' ? attributes.value : attributes.label);
    }
  }
});

test('updates keep actions pinned, the lock file without a registry, and majors of BullMQ for people', () => {
  const { extends: presets, packageRules } = JSON.parse(read('renovate.json'));
  assert.ok(presets.includes('helpers:pinGitHubActionDigests'));
  const bullmq = packageRules.find((rule: any) => rule.matchPackageNames?.includes('bullmq'));
  assert.deepEqual([bullmq.matchUpdateTypes, bullmq.dependencyDashboardApproval], [['major'], true]);
  assert.match(read('.npmrc'), /^omit-lockfile-registry-resolved=true$/m);
});

test('the licence is open, and said to be', () => {
  assert.equal(there('LICENSE'), license !== 'UNLICENSED');
  assert.equal(/\*\*Licence\*\*: open\. The owner/.test(read('README.md')), license === 'UNLICENSED');
});
