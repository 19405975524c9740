import type { OpenAPIObject } from '@nestjs/swagger';

type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;

/** The answer of a probe; `reasons` are there where it says no. */
function answers(word: string, reason: string): Operation['responses'] {
  const schema = {
    type: 'object' as const,
    required: [word],
    properties: {
      [word]: { type: 'boolean' as const, example: true },
      reasons: { type: 'array' as const, items: { type: 'string' as const } },
    },
  };
  const content = (example: object) => ({ 'application/json': { schema: { ...schema, example } } });
  return {
    200: { description: 'OK', content: content({ [word]: true }) },
    503: { description: 'It does not', content: content({ [word]: false, reasons: [reason] }) },
  };
}

const PROBES: Readonly<Record<string, Pick<Operation, 'summary' | 'responses'>>> = {
  '/healthz': {
    summary: 'Whether the process lives',
    responses: answers('ok', 'a file operation hangs for 301 s'),
  },
  '/readyz': { summary: 'Whether the process can work', responses: answers('ready', 'Redis is away') },
  '/metrics': {
    summary: 'Metrics for Prometheus',
    responses: { 200: { description: 'OK', content: { 'text/plain': { schema: { type: 'string' } } } } },
  },
};

/**
 * Describes probes and metrics, which need no token. Here and not at their controller: scanner and uploader have it too, and
 * Swagger would cost each of them some 10 MiB of memory.
 */
export function describeProbes(document: OpenAPIObject): void {
  for (const [path, about] of Object.entries(PROBES)) {
    const operation = document.paths[path]?.get;
    if (operation) Object.assign(operation, about, { tags: ['probes'], security: [] });
  }
}
