import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TestContext } from './test.js';
import type { Certificate } from './tls-proxy.js';

/** The tenant that it signs in. */
export const TENANT = '11111111-1111-1111-1111-111111111111';

/**
 * The sign-in service of Entra ID: tells where tokens are, and gives them.
 *
 * @param host the name that it is asked by
 * @param token makes the next one
 * @returns its port, and the forms that it was sent
 */
export async function loginServer(
  t: TestContext,
  certificate: Certificate,
  host: string,
  token: () => string,
): Promise<{ readonly port: number; readonly forms: URLSearchParams[] }> {
  const forms: URLSearchParams[] = [];
  const server = createServer(certificate, (request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => {
      const base = `https://${host}/${TENANT}`;
      response.setHeader('content-type', 'application/json');
      if (request.method === 'POST') {
        forms.push(new URLSearchParams(body));
        return response.end(
          JSON.stringify({ token_type: 'Bearer', expires_in: 3600, access_token: token() }),
        );
      }
      response.end(
        JSON.stringify({
          issuer: `${base}/v2.0`,
          authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
          token_endpoint: `${base}/oauth2/v2.0/token`,
          jwks_uri: `${base}/discovery/v2.0/keys`,
        }),
      );
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { forms, port: (server.address() as AddressInfo).port };
}
