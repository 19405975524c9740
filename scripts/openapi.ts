import 'reflect-metadata';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NestFactory } from '@nestjs/core';
import type { OpenAPIObject } from '@nestjs/swagger';
import { Health, createRegistry } from '@app/shared/runtime';
import { ApiModule } from '../apps/api/api.module.js';
import { documentOf } from '../apps/api/docs.js';
import { between, type MadeFile } from './made.js';

/** The OpenAPI document of this code; no Redis and no port is needed for it. */
export async function openApiDocument(): Promise<OpenAPIObject> {
  // nobody is asked anything: the routes and their types say it all
  const module = ApiModule.forRoot(new Health(), createRegistry('api'), {} as never, {} as never);
  const app = await NestFactory.create(module, { logger: false });
  try {
    return documentOf(app);
  } finally {
    await app.close();
  }
}

/**
 * `docs/openapi.json`, and the table of calls in the README.
 *
 * @param root the folder of package.json
 */
export async function openApiFiles(root: string): Promise<MadeFile[]> {
  const document = await openApiDocument();
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  return [
    { path: 'docs/openapi.json', text: `${JSON.stringify(document, null, 2)}\n` },
    { path: 'README.md', text: between('README.md', readme, 'calls', callsTable(document)) },
  ];
}

function callsTable({ paths }: OpenAPIObject): string {
  const byPath = Object.entries(paths).sort(([one], [other]) => (one < other ? -1 : 1));
  const rows = byPath.flatMap(([path, item]) =>
    (['get', 'post'] as const).flatMap((method) => {
      const operation = item[method];
      if (!operation) return [];
      const query = (operation.parameters ?? []).flatMap((one) =>
        'in' in one && one.in === 'query' ? [`\`${one.name}\``] : [],
      );
      return [`| \`${method.toUpperCase()} ${path}\` | ${operation.summary ?? ''} | ${query.join(', ')} |`];
    }),
  );
  return ['| call | what it does | query |', '| --- | --- | --- |', ...rows, ''].join('\n');
}

async function write(root: string): Promise<void> {
  for (const { path, text } of await openApiFiles(root)) writeFileSync(join(root, path), text);
}

if (require.main === module) void write(process.cwd());
