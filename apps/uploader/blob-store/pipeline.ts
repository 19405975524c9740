import { ContainerClient, newPipeline, type Pipeline } from '@azure/storage-blob';
import type { Pipeline as CorePipeline, PipelinePolicy } from '@azure/core-rest-pipeline';
import type { WaysOut } from '@app/shared/network';
import { isBlobService, notABlobService, PROXY_ASKS, proxyAsks } from './errors.js';

/** MD5s of request bodies that the service must check: whoever hands a body to Put Blob notes its digest here first. */
export type BodyDigests = WeakMap<Uint8Array, Uint8Array>;

type Credential = Parameters<typeof newPipeline>[0];

/**
 * A client of one container, with three policies of ours in its pipeline, all before signing: the way out (an agent of
 * ours that keeps connections alive, through a proxy or directly), the transactional `Content-MD5` of Put Blob, and a look whether it was the service that
 * answered. (`upload()` has no option for that
 * header, and `x-ms-blob-content-md5` would be stored unchecked: `@azure/storage-blob` 12.32.)
 */
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
  const client = new ContainerClient(`${accountUrl}/${container}`, pipeline);
  const core = corePipeline(pipeline);
  core.addPolicy(wayOut(waysOut));
  core.addPolicy(transactionalMd5(digests));
  core.addPolicy(ownAnswers);
  return client;
}

/** Sends each request by its way out, whatever agent the SDK chose. */
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

/** Takes no page of a proxy for the service's success. */
const ownAnswers: PipelinePolicy = {
  name: 'sluiceOwnAnswers',
  sendRequest: async (request, next) => {
    const response = await next(request);
    if (isBlobService(response)) return response;
    throw notABlobService(response.status, request.method);
  },
};

/** Sets `Content-MD5` on a request whose body has a digest noted. */
function transactionalMd5(digests: BodyDigests): PipelinePolicy {
  return {
    name: 'sluiceTransactionalMd5',
    sendRequest: (request, next) => {
      const md5 = request.body instanceof Uint8Array ? digests.get(request.body) : undefined;
      if (md5) request.headers.set('Content-MD5', Buffer.from(md5).toString('base64'));
      return next(request);
    },
  };
}

/** The SDK makes one core pipeline per Pipeline, with its first client, and shares it among all others. */
function corePipeline(pipeline: Pipeline): CorePipeline {
  const core = (pipeline as unknown as { _corePipeline?: CorePipeline })._corePipeline;
  if (!core)
    throw new Error(
      'this version of @azure/storage-blob has no core pipeline; Put Blob could not be checked',
    );
  return core;
}
