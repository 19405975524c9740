import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { openApiFiles } from '../../scripts/openapi.js';
import { test } from '../support/index.js';

const ROOT = resolve(__dirname, '../../..');

test('docs/openapi.json and the calls in the README are those of the code', async () => {
  for (const { path, text } of await openApiFiles(ROOT))
    assert.ok(
      readFileSync(join(ROOT, path), 'utf8') === text,
      `${path} is not what the code says; npm run docs:settings writes it`,
    );
});
