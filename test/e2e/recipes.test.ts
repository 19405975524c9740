import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';
import { Child, test, World, writeFileOf } from '../support/index.js';

const RECIPES = readFileSync(resolve(__dirname, '../../../docs/recipes.md'), 'utf8');
const TOKEN = 'a-token-of-this-test';

/** How each language's recipe is run, as it stands in docs/recipes.md. */
const LANGUAGES: Readonly<Record<string, (folder: string, code: string) => string[]>> = {
  bash: (folder, code) => ['bash', written(join(folder, 'deliver.sh'), code)],
  python: (folder, code) => ['python3', written(join(folder, 'deliver.py'), code)],
  ts: (folder, code) => {
    const options = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };
    const { outputText } = ts.transpileModule(code, { compilerOptions: options });
    return [process.execPath, written(join(folder, 'deliver.mjs'), outputText)];
  },
};

function written(path: string, text: string): string {
  writeFileSync(path, text);
  return path;
}

test('each recipe delivers its files and ends with 0, and with another code where the store lacks one', async (t) => {
  const world = await World.make(t, { proxy: true, env: { APP_MAX_ATTEMPTS: '1', APP_API_TOKEN: TOKEN } });
  world.proxy!.rules = [
    {
      match: ({ url }) => (url ?? '').includes('poison'),
      fault: { kind: 'status', status: 400, code: 'InvalidInput' },
    },
  ];
  const blocks = [...RECIPES.matchAll(/^```(\w+)\n(.*?)^```$/gms)];
  assert.deepEqual(
    blocks.map(([, language]) => language),
    Object.keys(LANGUAGES),
  );
  for (const [, language = '', code = ''] of blocks) {
    const folder = join(world.folder, `recipe-${language}`);
    mkdirSync(folder);
    const [command = '', ...args] = LANGUAGES[language]!(folder, code);
    const deliver = async (session: string, names: string[]) => {
      const md5s = names.map((name, i) => writeFileOf(join(folder, name), 100_000 * i, i));
      const child = new Child(command, [...args, session, ...names.map((name) => join(folder, name))], {
        PATH: process.env.PATH ?? '',
        SLUICE_URL: `http://127.0.0.1:${world.app('api').port}`,
        SLUICE_TOKEN: TOKEN,
        DROP: world.incoming,
      });
      const { code: ended } = await child.ended;
      const lines = child.stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as { name: string; md5: string });
      return { md5s, lines, ended, err: child.stderr };
    };
    const names = ['a', 'b c', 'ü'].map((name) => `${name}-${language}.bin`);
    const well = await deliver(`Zürich/2 ${language}`, names);
    assert.equal(well.ended, 0, well.err);
    assert.deepEqual(
      new Map(well.lines.map(({ name, md5 }) => [name, md5])),
      new Map(names.map((name, i) => [name, well.md5s[i]!])),
      language,
    );
    const ill = await deliver(`ill ${language}`, [`good-${language}.bin`, `poison-${language}.bin`]);
    assert.equal(ill.ended, 1, ill.err);
    assert.match(ill.err, /poison-\w+\.bin.* says why/);
    assert.deepEqual(
      ill.lines.map(({ name }) => name),
      [`good-${language}.bin`],
    );
  }
});
