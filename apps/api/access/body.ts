import { raw, type NextFunction, type Request, type RequestHandler, type Response } from 'express';
import { formatBytes } from '@app/shared/domain';
import { sendProblem } from '../problems/problem.js';
import { parseBody } from './json-body.js';

const JSON_TYPES = ['application/json', 'application/*+json'];
/** A list of file names may be long, every other body is short; bytes, also of what was sent compressed. */
const RETRY_LIMIT = 1024 * 1024;
const LIMIT = 16 * 1024;

/** Reads JSON bodies. What is no JSON is refused: ignored, it would start a session under another name than was meant. */
export function readBody(): RequestHandler {
  const short = raw({ limit: LIMIT, type: JSON_TYPES });
  const long = raw({ limit: RETRY_LIMIT, type: JSON_TYPES });
  return (request: Request, response: Response, next: NextFunction): void => {
    const hasBody =
      request.headers['transfer-encoding'] !== undefined ||
      Number(request.headers['content-length'] ?? 0) > 0;
    if (!hasBody) {
      request.body = {};
      return next();
    }
    if (!request.is(JSON_TYPES) || !isUnicode(request.headers['content-type'] ?? ''))
      return sendProblem(response, 415, 'send the body as Content-Type: application/json, in UTF-8');
    const isRetry = request.path === '/v1/files/retry';
    (isRetry ? long : short)(request, response, (error?: unknown) => {
      if (error !== undefined)
        return refuse(
          response,
          error as { status?: number; message?: string },
          isRetry ? RETRY_LIMIT : LIMIT,
        );
      const bytes: unknown = request.body;
      const read = parseBody(Buffer.isBuffer(bytes) ? bytes : Buffer.alloc(0));
      if ('fault' in read) return sendProblem(response, 400, read.fault);
      request.body = read.body;
      next();
    });
  };
}

/** Whether a type says UTF-8, or nothing, which means it. */
function isUnicode(type: string): boolean {
  return [...type.matchAll(/charset\s*=\s*["']?([^\s;"',]*)/gi)].every(([, name]) =>
    /^utf-?8$/i.test(name ?? ''),
  );
}

function refuse(
  response: Response,
  { status, message }: { status?: number; message?: string },
  limit: number,
) {
  if (status === 413) return sendProblem(response, 413, `the body is larger than ${formatBytes(limit)}`);
  if (status === 415) return sendProblem(response, 415, message ?? 'the body cannot be read');
  sendProblem(response, 400, `the body cannot be read: ${message}`);
}
