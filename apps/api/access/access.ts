import { createHash, timingSafeEqual } from 'node:crypto';
import type { NextFunction, Request, Response } from 'express';
import { sendProblem } from '../problems/problem.js';

/** Paths that anybody may ask: probes and metrics. */
const OPEN = new Set(['/healthz', '/readyz', '/metrics']);
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Who may ask: whoever has the token, as Bearer or as the password of HTTP Basic (how a browser signs in). */
export function requireToken(token: string | null) {
  const wanted = token === null ? null : digest(token);
  return (request: Request, response: Response, next: NextFunction): void => {
    if (wanted === null || OPEN.has(request.path)) return next();
    const given = givenToken(request.headers.authorization);
    // digests have one length, so the comparison tells nothing by its time
    if (given !== null && timingSafeEqual(digest(given), wanted)) return next();
    response.setHeader('WWW-Authenticate', 'Basic realm="sluice", charset="UTF-8", Bearer realm="sluice"');
    sendProblem(
      response,
      401,
      'send "Authorization: Bearer <token>", or HTTP Basic with the token as password (APP_API_TOKEN of the api)',
    );
  };
}

/**
 * Refuses writes that another site makes a browser send: Bull Board and the api have no other protection against them. The
 * browser's own word counts where it gives one: a proxy between them may ask under another host than the browser does.
 *
 * @see https://www.w3.org/TR/fetch-metadata/ No page can set Sec-Fetch-Site; over plain HTTP browsers leave it out.
 */
export function refuseCrossSite(request: Request, response: Response, next: NextFunction): void {
  if (SAFE.has(request.method)) return next();
  const site = request.headers['sec-fetch-site'];
  const { origin } = request.headers;
  const foreign =
    typeof site === 'string'
      ? site !== 'same-origin' && site !== 'none'
      : origin !== undefined && !isOwnOrigin(origin, request);
  if (!foreign) return next();
  sendProblem(
    response,
    403,
    'a write from another site is refused; send it from this origin or without Origin, and let a proxy before the api pass Host on',
  );
}

/**
 * An open api on loopback is for this machine alone: a page whose name resolves to 127.0.0.1 must not reach it.
 *
 * @param guarded whether neither token nor an explicit word protects the api
 */
export function refuseForeignHost(guarded: boolean) {
  return (request: Request, response: Response, next: NextFunction): void => {
    const name = (request.headers.host ?? '').toLowerCase().replace(/:\d+$/, '');
    if (
      !guarded ||
      OPEN.has(request.path) ||
      ['localhost', '[::1]'].includes(name) ||
      /^127\.\d+\.\d+\.\d+$/.test(name)
    )
      return next();
    sendProblem(response, 403, `without APP_API_TOKEN the api answers only as localhost, not as "${name}"`);
  };
}

/** The token in the header, as the bytes that were sent. */
function givenToken(header: string | undefined): Buffer | null {
  const [, scheme, value] = /^(\S+) +(.*)$/.exec(header ?? '') ?? [];
  if (!scheme || !value) return null;
  // Node reads headers as Latin-1, whatever was sent
  if (scheme.toLowerCase() === 'bearer') return Buffer.from(value, 'latin1');
  if (scheme.toLowerCase() !== 'basic') return null;
  const pair = Buffer.from(value, 'base64');
  const colon = pair.indexOf(':');
  return colon < 0 ? null : pair.subarray(colon + 1);
}

function digest(token: string | Buffer): Buffer {
  return createHash('sha256').update(token).digest();
}

/** Whether an origin is the host that was asked, as the request or a proxy before it says; no page can set either. */
function isOwnOrigin(origin: string, { headers }: Request): boolean {
  if (!URL.canParse(origin)) return false;
  const { host } = new URL(origin);
  const forwarded = String(headers['x-forwarded-host'] ?? '').split(',');
  return host !== '' && [headers.host ?? '', ...forwarded].some((name) => name.trim().toLowerCase() === host);
}
