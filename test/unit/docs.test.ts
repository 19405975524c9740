import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { SCHEMA } from '@app/shared/config';
import { FILE_STATES } from '@app/shared/domain';
import { madeFiles } from '../../scripts/docs.js';
import { test } from '../support/index.js';

const ROOT = resolve(__dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

for (const { path, text } of madeFiles(ROOT))
  test(`${path} says what the code says; npm run docs:settings writes it`, () => {
    assert.equal(read(path), text);
  });

test('the README and .env.example name every setting', () => {
  for (const name of Object.keys(SCHEMA)) {
    assert.ok(read('README.md').includes(`| \`${name}\` |`), name);
    assert.match(read('.env.example'), new RegExp(`^#${name}=`, 'm'));
  }
});

test('the diagram has every state', () => {
  const diagram = /```mermaid\nstateDiagram-v2\n(.*?)```/s.exec(read('docs/design.md'))?.[1] ?? '';
  for (const state of FILE_STATES) assert.match(diagram, new RegExp(`--> ${state} :`), state);
});

for (const page of ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md', 'docs/design.md'])
  test(`every link in ${page} leads somewhere`, () => {
    const headings = (text: string): string[] =>
      [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
        title
          .toLowerCase()
          .replace(/[^\p{L}\p{N} _-]/gu, '')
          .replaceAll(' ', '-'),
      );
    for (const [, target = ''] of read(page).matchAll(/\]\(([^)]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? page : join(dirname(page), path);
      assert.ok(existsSync(join(ROOT, file)), `${page} links to ${target}`);
      if (anchor !== undefined)
        assert.ok(headings(read(file)).includes(anchor), `${page} links to ${target}`);
    }
  });

test('every npm script that the README names exists', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  for (const [, name = ''] of read('README.md').matchAll(
    /npm (?:run )?(test(?::\w+)?|check|build|format|local|bench|docs:settings)\b/g,
  ))
    assert.ok(name in scripts, name);
});

test('the lock file names no registry, so that each place installs from its own', () => {
  // kept so by: npm install --omit-lockfile-registry-resolved
  assert.ok(!/"resolved"|https?:\/\/[^"]*registry/.test(read('package-lock.json')));
});
