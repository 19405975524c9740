import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { ESLint } from 'eslint';
import tseslint from 'typescript-eslint';
import { test } from '../support/index.js';

const FIXTURES = 'test/lint';
const CONFIG: string = '../../eslint.config.mjs';
const MARK = '// refused: ';

interface Wall {
  readonly name?: string;
}

/** The project's own configuration, without the rules that need types: a fixture only pretends to stand in the project. */
const eslint = new ESLint({
  overrideConfig: {
    ...tseslint.configs.disableTypeChecked,
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { project: false, program: null, projectService: false } },
  } as ESLint.Options['overrideConfig'],
});

const fixtures = readdirSync(FIXTURES).filter((file) => file.endsWith('.ts'));

test('every wall has a fixture of its name', async () => {
  const config = (await import(CONFIG)) as { default: Wall[] };
  const names = config.default.flatMap(({ name }) => (name?.startsWith('walls/') ? [name.slice(6)] : []));
  assert.deepEqual(fixtures.map((file) => file.replace(/\.ts$/, '')).sort(), [...new Set(names)].sort());
});

for (const fixture of fixtures) {
  test(`the wall "${fixture.replace(/\.ts$/, '')}" refuses what its fixture marks, with its reason, and nothing else`, async () => {
    const text = readFileSync(`${FIXTURES}/${fixture}`, 'utf8');
    const lines = text.split('\n');
    const place = lines[0]?.replace('// as ', '') ?? '';
    const [result] = await eslint.lintText(text, { filePath: place });
    const found = (result?.messages ?? []).filter((message) => message.ruleId?.startsWith('no-restricted-'));
    for (const [index, line] of lines.entries()) {
      const here = found.filter((message) => message.line === index + 1).map((message) => message.message);
      const at = line.indexOf(MARK);
      if (at < 0) assert.deepEqual(here, [], `${fixture}:${index + 1} must pass`);
      else
        assert.ok(
          here.some((message) => message.includes(line.slice(at + MARK.length))),
          `${fixture}:${index + 1} must be refused with its reason; said: ${here.join(' | ') || 'nothing'}`,
        );
    }
  });
}
