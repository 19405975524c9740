import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { VERSION } from '@app/shared/runtime';

/** Serves Swagger UI at `/docs` and the OpenAPI document at `/docs-json`. */
export function serveDocs(app: INestApplication): void {
  const config = new DocumentBuilder()
    .setTitle('Sluice')
    .setDescription(
      'Moves large files from an NFS drop folder into Azure Blob Storage and never loses one. Every success is 200; errors are application/problem+json. Job console: /admin/queues.',
    )
    .setVersion(VERSION)
    .addBearerAuth()
    .addBasicAuth()
    .addSecurityRequirements('bearer')
    .addSecurityRequirements('basic')
    .addTag('watch', 'Start and stop sessions')
    .addTag('status', 'The whole system at a glance')
    .addTag('sessions', 'Sessions, and what became of their files')
    .addTag('files', 'Where files are, and why')
    .addTag('events', 'What happens, as it happens')
    .addTag('probes', 'Probes and metrics')
    .build();
  SwaggerModule.setup('docs', app, () => SwaggerModule.createDocument(app, config), {
    jsonDocumentUrl: 'docs-json',
    customSiteTitle: 'Sluice API',
  });
}
