import type { WaysOut } from './ways-out.js';

/** The status of a proxy that wants to know who asks. */
export const PROXY_ASKS = 407;

/** What is read and set of a request of the Azure SDK's core. */
interface Outgoing {
  readonly url: string;
  agent?: unknown;
}

/** Sends a request of the Azure SDK's core. */
type Send<Request, Response> = (request: Request) => Promise<Response>;

/**
 * Options for a credential of the Azure SDK whose token requests go by their ways out, whatever agent the SDK chose. A
 * policy, so that the SDK's own log has no agent with a proxy's password; and a client, since `ManagedIdentityCredential`
 * of `@azure/identity` 4.13 puts policies of its own in place of those that it is given.
 *
 * @param client the SDK's own
 * @param proxyAsks the error of a proxy that lets nobody through without a user and a password, or refuses the given ones
 */
export function byWaysOut<Request extends Outgoing, Response extends { readonly status: number }>(
  client: { readonly sendRequest: Send<Request, Response> },
  waysOut: WaysOut,
  proxyAsks: (doing: string) => Error,
) {
  const send = async (request: Request, next: Send<Request, Response>): Promise<Response> => {
    const url = new URL(request.url);
    Object.assign(request, { agent: waysOut.agent(url) });
    const response = await next(request);
    if (response.status === PROXY_ASKS) throw proxyAsks(`a request to ${url.host}`);
    return response;
  };
  return {
    additionalPolicies: [
      { policy: { name: 'sluiceWayOut', sendRequest: send }, position: 'perCall' as const },
    ],
    httpClient: { sendRequest: (request: Request) => send(request, (same) => client.sendRequest(same)) },
  };
}
