import { ContainerClient, newPipeline, RestError, type RequestPolicyFactory } from '@azure/storage-blob';
import type { WaysOut } from '@app/shared/network';
import { isBlobService, notABlobService, serviceCode, statusOf } from './errors.js';
import { SharedAccess, signatureRefused, signed } from './sas.js';

/** MD5s of request bodies that the service must check: whoever hands a body to Put Blob notes its digest here first. */
export type BodyDigests = WeakMap<Uint8Array, Uint8Array>;

/** How requests are signed: by the SDK, or with a shared access signature in their URLs. */
export type Credential = Parameters<typeof newPipeline>[0] | SharedAccess;

/** A client of one container whose requests pass {@link storeRequests} before they are signed. */
export function openContainer(
  accountUrl: string,
  container: string,
  credential: Credential,
  digests: BodyDigests,
  waysOut: WaysOut,
): ContainerClient {
  const access = credential instanceof SharedAccess ? credential : null;
  const pipeline = newPipeline(credential instanceof SharedAccess ? undefined : credential, {
    // one quick repetition for a connection that the service had closed; longer waits are ours, see store-gate.ts
    retryOptions: { maxTries: 2, retryDelayInMs: 200, maxRetryDelayInMs: 1000 },
    userAgentOptions: { userAgentPrefix: 'sluice' },
  });
  pipeline.factories.push(storeRequests(digests, waysOut));
  if (access) pipeline.factories.push(sharedAccess(access));
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

/** Signs each request with what the file holds now; a refused one is tried again where the file holds another by then. */
function sharedAccess(access: SharedAccess): RequestPolicyFactory {
  return {
    create: (next) => ({
      sendRequest: async (request) => {
        const { url } = request;
        for (;;) {
          const query = await access.query();
          request.url = signed(url, query);
          try {
            return await next.sendRequest(request);
          } catch (error) {
            if (!(error instanceof RestError) || statusOf(error) !== 403) throw error;
            if (await access.renewed(query)) continue;
            const code = serviceCode(error);
            // without a code it is no answer of the service, and says so further on
            if (code === undefined) throw error;
            throw signatureRefused(query, code, request.method);
          } finally {
            // errors and logs that hold the request must not hold the signature
            request.url = url;
          }
        }
      },
    }),
  };
}
