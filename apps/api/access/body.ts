import type { NextFunction, Request, Response } from 'express';
import { sendProblem } from '../problems/problem.js';

/** Refuses a body that is not JSON: ignored, it would start a session under another name than was meant. */
export function requireJson(request: Request, response: Response, next: NextFunction): void {
  const hasBody =
    request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
  if (!hasBody || request.is(['application/json', '+json'])) return next();
  sendProblem(response, 415, 'send the body as Content-Type: application/json');
}
