import { BadRequestException, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { OpenAPIObject } from '@nestjs/swagger';
import type { Request } from 'express';

/** Refuses query parameters that the OpenAPI document does not have for this call: a misspelt filter must not list everything. */
export class KnownQuery implements CanActivate {
  /** @param document made once, with the first request: all routes are known then */
  constructor(private readonly document: () => OpenAPIObject) {}

  /** @throws BadRequestException */
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<Request>();
    const given = Object.keys(request.query);
    if (given.length === 0 || !request.path.startsWith('/v1/')) return true;
    const route = request.route as { readonly path: string };
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    const item = this.document().paths[path];
    const operation = request.method === 'POST' ? item?.post : item?.get;
    const known = (operation?.parameters ?? []).flatMap((parameter) =>
      'in' in parameter && parameter.in === 'query' ? [parameter.name] : [],
    );
    const unknown = given.filter((name) => !known.includes(name));
    if (unknown.length === 0) return true;
    const names = known.length === 0 ? 'it takes none' : `it takes ${known.join(', ')}`;
    throw new BadRequestException(
      `the query parameter${unknown.length === 1 ? '' : 's'} ${unknown.join(', ')} ${unknown.length === 1 ? 'is' : 'are'} not known to ${request.method} ${path}: ${names}`,
    );
  }
}
