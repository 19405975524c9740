import { applyDecorators } from '@nestjs/common';
import { ApiExtraModels, ApiResponse, getSchemaPath } from '@nestjs/swagger';
import { STATUS_CODES } from 'node:http';
import { Problem } from './problem.js';

/** Documents the problems of an operation; 401, 403 and 503 can come from every one. */
export function Problems(...statuses: number[]): MethodDecorator {
  const all = [...statuses, 401, 403, 503];
  return applyDecorators(
    ApiExtraModels(Problem),
    ...all.map((status) =>
      ApiResponse({
        status,
        description: STATUS_CODES[status] ?? '',
        content: {
          'application/problem+json': {
            schema: { $ref: getSchemaPath(Problem) },
            example: { status, title: STATUS_CODES[status], detail: DETAILS[status] ?? '' },
          },
        },
      }),
    ),
  );
}

const DETAILS: Readonly<Record<number, string>> = {
  400: 'limit must be a whole number from 1 to 1000',
  401: 'send "Authorization: Bearer <token>"',
  403: 'a write from another site is refused',
  404: 'no file of this name is known',
  409: 'expect.files of this session is 2000 already and may only be raised; start another session, or leave it as it is',
  413: 'the body is larger than 16.0 KiB',
  415: 'send the body as Content-Type: application/json',
  503: 'Redis is away; this api goes on once it is back',
};
