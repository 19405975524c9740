import assert from 'node:assert/strict';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { test } from '../support/index.js';
import { apiAlone } from './api-alone.js';

/** Anybody may ask these, and nothing that a caller does makes them a 4xx. */
const PROBES = ['/healthz', '/readyz', '/metrics'];

/** What the linter finds in a document, a line each: by the strictest of its own rule sets, and some rules more. */
async function faultsOf(document: object): Promise<string[]> {
  const config = await createConfig({
    extends: ['recommended-strict'],
    rules: {
      'operation-tag-defined': 'error',
      'operation-singular-tag': 'error',
      'parameter-description': 'error',
      'path-params-defined': 'error',
      'spec-strict-refs': 'error',
      'scalar-property-missing-example': 'error',
      // it is not licensed to others
      'info-license': 'off',
      'info-license-strict': 'off',
    },
  });
  const source = JSON.stringify(document);
  const problems = await lintFromString({ source, absoluteRef: 'docs.json', config });
  const expected = PROBES.map((path) => `#/paths/~1${path.slice(1)}/get/responses`);
  return problems
    .map(({ ruleId, message, location }) => ({ ruleId, message, at: location[0]?.pointer ?? '' }))
    .filter(({ ruleId, at }) => ruleId !== 'operation-4xx-response' || !expected.includes(at))
    .map(({ ruleId, message, at }) => `${ruleId} at ${at}: ${message}`);
}

test('the OpenAPI document passes the linter, and would not with a fault in it', async (t) => {
  const api = await apiAlone(t);
  const { status, body } = await api.ask('/docs-json');
  assert.equal(status, 200);
  assert.deepEqual(await faultsOf(body), []);

  const broken: [rule: string, breakIt: (document: any) => void][] = [
    ['operation-operationId', ({ paths }) => delete paths['/v1/status'].get.operationId],
    [
      'operation-4xx-response',
      ({ paths }) => (paths['/v1/files'].get.responses = { 200: { description: 'OK' } }),
    ],
    [
      'no-invalid-schema-examples',
      ({ components }) => (components.schemas.FileView.properties.attempts.example = 'x'),
    ],
    [
      'no-invalid-media-type-examples',
      ({ components, paths }) => {
        delete components.schemas.Problem.properties.title;
        paths['/v1/files'].get.responses[400].content['application/problem+json'].example.status = 'x';
      },
    ],
    ['no-unresolved-refs', ({ components }) => delete components.schemas.FileView],
    ['security-defined', ({ components }) => delete components.securitySchemes.bearer],
    ['operation-tag-defined', (document) => document.tags.pop()],
    ['parameter-description', ({ paths }) => delete paths['/v1/files'].get.parameters[0].description],
  ];
  for (const [rule, breakIt] of broken) {
    const document: unknown = structuredClone(body);
    breakIt(document);
    const faults = await faultsOf(document as object);
    assert.ok(
      faults.some((fault) => fault.startsWith(`${rule} `)),
      `${rule} is not among ${JSON.stringify(faults)}`,
    );
  }
});

test('every operation has a summary, and problem documents for its errors', async (t) => {
  const api = await apiAlone(t);
  const { paths } = (await api.ask('/docs-json')).body;
  for (const [path, item] of Object.entries<any>(paths))
    for (const [method, { summary, responses, security }] of Object.entries<any>(item)) {
      const name = `${method} ${path}`;
      assert.ok(summary, name);
      if (PROBES.includes(path)) assert.deepEqual(security, [], name);
      for (const [status, { content }] of Object.entries<any>(responses)) {
        const types = Object.keys(content ?? {});
        if (PROBES.includes(path)) continue;
        if (status !== '200') assert.deepEqual(types, ['application/problem+json'], `${name} ${status}`);
      }
    }
});
