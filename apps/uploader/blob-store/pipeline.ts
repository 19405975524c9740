import { ContainerClient, newPipeline, type RequestPolicyFactory } from '@azure/storage-blob';
import type { PipelinePolicy } from '@azure/core-rest-pipeline';
import type { WaysOut } from '@app/shared/network';
import { isBlobService, notABlobService, PROXY_ASKS, proxyAsks } from './errors.js';

/** MD5s of request bodies that the service must check: whoever hands a body to Put Blob notes its digest here first. */
export type BodyDigests = WeakMap<Uint8Array, Uint8Array>;

type Credential = Parameters<typeof newPipeline>[0];

/** A client of one container whose requests pass {@link storeRequests} before they are signed. */
export function openContainer(
  accountUrl: string,
  container: string,
  credential: Credential,
  digests: BodyDigests,
  waysOut: WaysOut,
): ContainerClient {
  const pipeline = newPipeline(credential, {
    // one quick repetition for a connection that the service had closed; longer waits are ours, see store-gate.ts
    retryOptions: { maxTries: 2, retryDelayInMs: 200, maxRetryDelayInMs: 1000 },
    userAgentOptions: { userAgentPrefix: 'sluice' },
  });
  pipeline.factories.push(storeRequests(digests, waysOut));
  return new ContainerClient(`${accountUrl}/${container}`, pipeline);
}

/**
 * Gives each request its way out and, where its body has a digest noted, the transactional `Content-MD5` (`upload()` has
 * no option for that header, and `x-ms-blob-content-md5` would be stored unchecked: `@azure/storage-blob` 12.34), and
 * takes no page of a proxy for the service's answer.
 */
function storeRequests(digests: BodyDigests, waysOut: WaysOut): RequestPolicyFactory {
  return {
    create: (next) => ({
      sendRequest: async (request) => {
        request.agent = waysOut.agent(new URL(request.url));
        const body: unknown = request.body;
        const md5 = body instanceof Uint8Array ? digests.get(body) : undefined;
        if (md5) request.headers.set('Content-MD5', Buffer.from(md5).toString('base64'));
        const response = await next.sendRequest(request);
        if (isBlobService(response.headers.headerNames())) return response;
        throw notABlobService(response.status, request.method);
      },
    }),
  };
}

/** Sends each token request by its way out, whatever agent the SDK chose. */
export function wayOut(waysOut: WaysOut): PipelinePolicy {
  return {
    name: 'sluiceWayOut',
    sendRequest: async (request, next) => {
      request.agent = waysOut.agent(new URL(request.url));
      const response = await next(request);
      if (response.status === PROXY_ASKS) throw proxyAsks(`a request to ${new URL(request.url).host}`);
      return response;
    },
  };
}
