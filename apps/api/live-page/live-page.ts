import { static as serveFiles, type RequestHandler } from 'express';
import { join } from 'node:path';

/** Its files alone, from this origin alone; nothing inline. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The page for people at `/` and its runbook at `/runbook`: static files that ask this api what to show. What is no file of it is left to others. */
export function livePage(): RequestHandler {
  return serveFiles(join(__dirname, 'static'), {
    extensions: ['html'],
    setHeaders: (response) => {
      response.setHeader('Content-Security-Policy', POLICY);
      // asked for anew each time: a page of the release before would not fit this api
      response.setHeader('Cache-Control', 'no-cache');
    },
  });
}
