import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SCHEMA } from '@app/shared/config';
import { test } from '../support/index.js';

/** Seen from dist/test/unit. What a compiler would say, CI asks one: the job `bicep`. */
const ROOT = resolve(__dirname, '../..');
const FOLDER = join(ROOT, 'deploy/azure');
const files = readdirSync(FOLDER).filter((name) => name.endsWith('.bicep'));
const text = (name: string): string => readFileSync(join(FOLDER, name), 'utf8');
const main = text('main.bicep');
const deploy = readFileSync(join(ROOT, 'docs/deploy.md'), 'utf8');
const section = /^### The same by Bicep\n(.*?)^### /ms.exec(deploy)?.[1] ?? '';

interface Declared {
  readonly name: string;
  readonly described: boolean;
  readonly needed: boolean;
}
/** Parameters and outputs, each with the decorators above it. */
const declared = (kind: 'param' | 'output', source: string): Declared[] =>
  [...source.matchAll(new RegExp(`((?:^@.+\\n)*)^${kind} (\\w+) \\w+(.*)$`, 'gm'))].map(
    ([, above = '', name = '', rest = '']) => ({
      name,
      described: /@description\('.{10,}'\)/.test(above),
      needed: !rest.includes('='),
    }),
  );

test('every parameter and output of the Bicep files is described, and every module gets what it needs', () => {
  let modules = 0;
  for (const file of files) {
    for (const kind of ['param', 'output'] as const)
      for (const { name, described } of declared(kind, text(file))) assert.ok(described, `${file}: ${name}`);
    for (const [, module = '', params = ''] of text(file).matchAll(
      /^module \w+ '([^']+)'.*\n(?:.*\n)*?  params: \{\n((?: {4}.*\n)+)/gm,
    )) {
      modules++;
      assert.ok(existsSync(join(FOLDER, module)), module);
      const given = [...params.matchAll(/^ {4}(\w+):/gm)].map(([, name]) => name);
      const taken = declared('param', text(module));
      for (const { name, needed } of taken) assert.ok(!needed || given.includes(name), `${module}: ${name}`);
      for (const name of given)
        assert.ok(
          taken.some((param) => param.name === name),
          `${module}: ${name}`,
        );
    }
  }
  assert.equal(modules, main.match(/^module /gm)?.length);
});

test('no account has a key or a way in from outside, and the identity may write to the container alone', () => {
  const accounts = main
    .split(/^resource /m)
    .filter((part) => /^\w+ 'Microsoft\.Storage\/storageAccounts@/.test(part));
  assert.equal(accounts.length, 2);
  for (const account of accounts)
    for (const line of [
      'allowSharedKeyAccess: false',
      'allowBlobPublicAccess: false',
      "publicNetworkAccess: 'Disabled'",
    ])
      assert.ok(account.includes(line), line);
  const roles = main
    .split(/^resource /m)
    .filter((part) => part.includes('Microsoft.Authorization/roleAssignments@'));
  assert.equal(roles.length, 1);
  assert.match(roles[0]!, /^ {2}scope: account::blobs::container$/m);
  assert.match(main, /name: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'/, 'Storage Blob Data Contributor');
});

test('docs/deploy.md gives the Bicep file what it asks for, asks it for what it has, and says that it was not run', () => {
  assert.match(section, /not run against Azure/);
  const params = declared('param', main);
  const given = [...section.matchAll(/(?<![\w-])([a-z]\w+)=/g)].map(([, name = '']) => name);
  for (const { name, needed } of params) assert.ok(!needed || given.includes(name), name);
  for (const name of given)
    assert.ok(
      params.some((param) => param.name === name),
      name,
    );
  const outputs = declared('output', main).map(({ name }) => name);
  for (const [, name = ''] of section.matchAll(/outputs\.(\w+)/g)) assert.ok(outputs.includes(name), name);
  for (const [setting] of main.matchAll(/\bAPP_[A-Z_]+/g)) assert.ok(setting in SCHEMA, setting);
});
