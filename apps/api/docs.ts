import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { describeProbes } from './probe-docs.js';
import { VERSION } from '@app/shared/runtime';

const DESCRIPTION = `Moves large files from an NFS drop folder into Azure Blob Storage and never loses one.

- A **session** decides where files go: \`<date>/<encoded_session>/<filename>\` in the store. Start one, drop files, stop it.
- \`GET /v1/status\` is the whole system at a glance; \`problems\` is empty when all is well.
- \`GET /v1/files/{filename}\` says where a file is and why.
- Every success is 200. Errors are \`application/problem+json\`: \`status\`, \`title\`, \`detail\`.
- Lists are \`{"items": [...], "next_cursor": string|null}\`; hand \`next_cursor\` back as \`cursor\`.

The console of the queue is [Bull Board](/admin/queues). This document is served as [docs-json](/docs-json), and stands in the repository as \`docs/openapi.json\`.`;

/** The OpenAPI document, as the routes and their types say it. */
export function documentOf(app: INestApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setTitle('Sluice')
    .setDescription(DESCRIPTION)
    .setVersion(VERSION)
    .addServer('/', 'This api')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'APP_API_TOKEN of the api.' })
    .addBasicAuth({ type: 'http', scheme: 'basic', description: 'Any user, the token as password.' })
    .addSecurityRequirements('bearer')
    .addSecurityRequirements('basic')
    .addTag('watch', 'Start and stop sessions')
    .addTag('status', 'The whole system at a glance')
    .addTag('sessions', 'Sessions, and what became of their files')
    .addTag('files', 'Where files are, and why')
    .addTag('plan', 'What would become of files that wait')
    .addTag('events', 'What happens, as it happens')
    .addTag('probes', 'Probes and metrics; they need no token')
    .build();
  const document = SwaggerModule.createDocument(app, config, {
    operationIdFactory: (controller, method) =>
      `${controller.replace('Controller', '').toLowerCase()}_${method}`,
  });
  // every success is 200, and a decorator without a description leaves an empty one
  for (const item of Object.values(document.paths))
    for (const operation of [item.get, item.post]) {
      const success = operation?.responses['200'];
      if (success && 'description' in success) success.description ||= 'OK';
    }
  describeProbes(document);
  return document;
}

/** Serves Swagger UI at `/docs` and the OpenAPI document at `/docs-json`. @returns the document; to be asked once routes are known */
export function serveDocs(app: INestApplication): () => OpenAPIObject {
  let made: OpenAPIObject | null = null;
  const make = (): OpenAPIObject => (made ??= documentOf(app));
  SwaggerModule.setup('docs', app, make, {
    jsonDocumentUrl: 'docs-json',
    customSiteTitle: 'Sluice API',
    // the badge is another host's
    swaggerOptions: { validatorUrl: null },
  });
  return make;
}
