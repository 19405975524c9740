import { isUtf8 } from 'node:buffer';
import { json, type NextFunction, type Request, type RequestHandler, type Response } from 'express';
import { formatBytes } from '@app/shared/domain';
import { sendProblem } from '../problems/problem.js';

const JSON_TYPES = ['application/json', 'application/*+json'];
/** A list of file names may be long, every other body is short; bytes. */
const RETRY_LIMIT = 1024 * 1024;
const LIMIT = 16 * 1024;

/** Reads JSON bodies. What is no JSON is refused: ignored, it would start a session under another name than was meant. */
export function readBody(): RequestHandler {
  // what is no UTF-8 would be read as other characters than were meant
  const verify = (_request: unknown, _response: unknown, body: Buffer): void => {
    if (!isUtf8(body)) throw new Error('its bytes are not UTF-8');
  };
  const short = json({ limit: LIMIT, type: JSON_TYPES, strict: false, verify });
  const long = json({ limit: RETRY_LIMIT, type: JSON_TYPES, strict: false, verify });
  return (request: Request, response: Response, next: NextFunction): void => {
    const hasBody =
      request.headers['transfer-encoding'] !== undefined ||
      Number(request.headers['content-length'] ?? 0) > 0;
    if (!hasBody) {
      request.body = {};
      return next();
    }
    if (!request.is(JSON_TYPES))
      return sendProblem(response, 415, 'send the body as Content-Type: application/json');
    const isRetry = request.path === '/v1/files/retry';
    (isRetry ? long : short)(request, response, (error?: unknown) => {
      if (error === undefined) {
        const fault = bodyFault(request.body);
        return fault === null ? next() : sendProblem(response, 400, fault);
      }
      const { status, message } = error as { status?: number; message?: string };
      if (status === 413)
        return sendProblem(
          response,
          413,
          `the body is larger than ${formatBytes(isRetry ? RETRY_LIMIT : LIMIT)}`,
        );
      if (status === 415) return sendProblem(response, 415, message ?? 'the body cannot be read');
      sendProblem(response, 400, `the body is not valid JSON: ${message}`);
    });
  };
}

/** What is wrong with a body before its properties are looked at, or null. */
function bodyFault(body: unknown): string | null {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    return 'the body must be a JSON object, such as {"session_name": "my session"}';
  // names that every object has are lost on validators
  const inherited = Object.keys(body).filter((name) => name in Object.prototype);
  return inherited.length === 0 ? null : `property ${inherited.join(', ')} should not exist`;
}
