import { BadRequestException } from '@nestjs/common';
import { applyDecorators } from '@nestjs/common';
import { ApiQuery } from '@nestjs/swagger';

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1000;

/** Reads `limit`. @throws BadRequestException */
export function readLimit(text: string | undefined): number {
  if (text === undefined) return LIMIT_DEFAULT;
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > LIMIT_MAX)
    throw new BadRequestException(`limit must be a whole number from 1 to ${LIMIT_MAX}`);
  return limit;
}

/** Makes a cursor; opaque to callers. */
export function makeCursor(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** Reads a cursor that {@link makeCursor} made. @throws BadRequestException */
export function readCursor<T>(
  text: string | undefined,
  check: (value: Record<string, unknown>) => T | null,
): T | null {
  if (text === undefined || text === '') return null;
  try {
    const value = check(
      JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as Record<string, unknown>,
    );
    if (value !== null) return value;
  } catch {
    // said below
  }
  throw new BadRequestException('cursor is none that this api gave; begin again without');
}

/** Documents the two parameters of a list. */
export function Paged(): MethodDecorator {
  return applyDecorators(
    ApiQuery({
      name: 'limit',
      required: false,
      schema: { type: 'integer', minimum: 1, maximum: LIMIT_MAX, default: LIMIT_DEFAULT },
      description: 'Most items of a page.',
    }),
    ApiQuery({
      name: 'cursor',
      required: false,
      schema: { type: 'string' },
      description: '`next_cursor` of the page before.',
    }),
  );
}
