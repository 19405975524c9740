import { BadRequestException } from '@nestjs/common';
import { applyDecorators } from '@nestjs/common';
import { ApiQuery } from '@nestjs/swagger';
import { createHash } from 'node:crypto';
import { parseObject } from '@app/shared/domain';

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

/** Makes a cursor; opaque to callers. @param list what it is a cursor of */
export function makeCursor(list: string, value: object): string {
  const content = Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${content}.${checkOf(list, content)}`;
}

/** Tells a cursor of this api from one that was made up, cut off or given for another list; it keeps no secret. */
function checkOf(list: string, content: string): string {
  return createHash('sha256').update(`${list} ${content}`).digest('hex').slice(0, 12);
}

/** Reads a cursor that {@link makeCursor} made. @throws BadRequestException */
export function readCursor<T>(
  list: string,
  text: string | undefined,
  check: (value: Record<string, unknown>) => T | null,
): T | null {
  if (text === undefined || text === '') return null;
  const [content = '', sum, ...rest] = text.split('.');
  if (rest.length === 0 && sum === checkOf(list, content)) {
    const object = parseObject(Buffer.from(content, 'base64url').toString('utf8'));
    const value = object && check(object);
    if (value !== null) return value;
  }
  throw new BadRequestException('cursor is none that this api gave for this list; begin again without');
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
