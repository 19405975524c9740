import { RestError } from '@azure/storage-blob';
import type { PipelineResponse } from '@azure/core-rest-pipeline';
import type { Labels } from '@app/shared/config';
import { codeOf, Interrupted, messageOf, reasonsOf, StoreError, type Disposition } from '@app/shared/domain';
import { PROXY_ASKS } from '@app/shared/network';

/** Socket and resolver errors: nobody answered. */
const NO_ANSWER = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EAI_FAIL',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'EPIPE',
  'EPROTO',
  'ERR_SOCKET_CLOSED',
  'ERR_STREAM_PREMATURE_CLOSE',
  'REQUEST_SEND_ERROR',
  'HPE_INVALID_CONSTANT',
]);

/**
 * What the service's error codes mean; whatever is not here is not known to be about one file, and is probed.
 * @see https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes
 */
const BY_CODE: Readonly<Record<string, Disposition>> = {
  ContainerNotFound: 'outage',
  ContainerBeingDeleted: 'outage',
  ContainerDisabled: 'outage',
  AccountBeingCreated: 'outage',
  ServerBusy: 'outage',
  // a lease or an immutability policy is somebody's decision about this very blob
  LeaseIdMissing: 'quarantine',
  LeaseIdMismatchWithBlobOperation: 'quarantine',
  LeaseAlreadyPresent: 'quarantine',
  LeaseLost: 'quarantine',
  BlobImmutableDueToPolicy: 'quarantine',
  BlobImmutableDueToLegalHold: 'quarantine',
  InvalidBlobType: 'quarantine',
  BlobArchived: 'quarantine',
  BlobBeingRehydrated: 'quarantine',
  InvalidResourceName: 'quarantine',
  InvalidUri: 'quarantine',
  // a hierarchical namespace has a folder of the blob's name, or a blob where its folder would be
  ResourceTypeMismatch: 'quarantine',
  PathConflict: 'quarantine',
};

/** Statuses that say by themselves that the service has no time now. */
const BUSY: ReadonlySet<number> = new Set([429, 503]);
/** Token requests fail with names of their own: https://learn.microsoft.com/javascript/api/@azure/identity */
const NO_TOKEN = /Credential|Authentication/;
/** The code of a file that should hold a shared access signature. */
export const SAS_UNREADABLE = 'SasFileUnreadable';
/** The code of an answer that no Blob service gives: a proxy's page, a captive portal, another server. */
const NOT_A_BLOB_SERVICE = 'NotABlobService';

/**
 * Turns whatever the SDK threw into a {@link StoreError} or {@link Interrupted}; the one place where vendor codes are read.
 *
 * @param doing what was tried, e.g. `put block`
 */
export function storeError(error: unknown, doing: string): StoreError | Interrupted {
  if (error instanceof StoreError || error instanceof Interrupted) return error;
  if (error instanceof Error && error.name === 'AbortError') return new Interrupted(`${doing} was aborted`);
  if (error instanceof RestError && error.statusCode !== undefined) {
    const { statusCode: status, response } = error;
    const code = serviceCode(error) ?? 'HttpError';
    const known = BY_CODE[code] ?? (BUSY.has(status) ? 'outage' : undefined);
    if (known === undefined && response && !isBlobService(namesOf(response.headers)))
      return notABlobService(status, doing);
    return new StoreError(code, known ?? 'probe', `${status} ${code} from ${doing}`, status);
  }
  const code = codeOf(error);
  if (code === 'ETIMEDOUT' || code === 'ESOCKETTIMEDOUT')
    return new StoreError(code, 'probe', `${doing} timed out`);
  if (code !== undefined && NO_ANSWER.has(code))
    return new StoreError(code, 'outage', `${doing} got no answer: ${code}`);
  const name = error instanceof Error ? error.name : 'Error';
  if (NO_TOKEN.test(name)) return new StoreError(name, 'probe', `${doing}: no token: ${reasonsOf(error)}`);
  // certificates, broken HTTP, and whatever else Node or the SDK may meet on the way
  return new StoreError(code ?? name, 'probe', `${doing}: ${messageOf(error)}`);
}

function* namesOf(headers: PipelineResponse['headers']): Iterable<string> {
  for (const [name] of headers) yield name;
}

/** Whether the service itself answered: each of its answers has a header of its own, a proxy's page has none. */
export function isBlobService(headerNames: Iterable<string>): boolean {
  for (const name of headerNames) if (name.toLowerCase().startsWith('x-ms-')) return true;
  return false;
}

/** The error of an answer that no Blob service gives, whatever its status. */
export function notABlobService(status: number, doing: string): StoreError {
  if (status === PROXY_ASKS) return proxyAsks(doing);
  const message = `${status} from ${doing}, in an answer that no Blob service gives; look for a proxy, a firewall or another server on the way`;
  return new StoreError(NOT_A_BLOB_SERVICE, 'probe', message, status);
}

/** The error of a proxy that lets nobody through without a user and a password, or refuses the given ones. */
export function proxyAsks(doing: string): StoreError {
  const message = `407 from ${doing}: the proxy asks for a user and a password, or refuses those that it was given; set HTTPS_PROXY=http://user:password@host:port`;
  return new StoreError('ProxyAuthenticationRequired', 'probe', message, PROXY_ASKS);
}

/** Whether the service itself, or the proxy on the way to it, said no to us, as to a key that may not do what was asked for. */
export function saysNo(error: unknown): boolean {
  if (!(error instanceof StoreError) || error.disposition === 'outage') return false;
  const status = error.status ?? 0;
  return status >= 400 && status < 500 && error.code !== NOT_A_BLOB_SERVICE;
}

/** The store refuses blobs with these labels, and takes others: a right is missing, or it does not know one of them. */
export class LabelsRefused extends StoreError {
  constructor(cause: StoreError, { tags, tier, encryptionScope }: Labels) {
    const given = [
      ...(tier === null ? [] : [`the access tier ${tier}`]),
      ...(Object.keys(tags).length === 0 ? [] : [`the tags ${Object.keys(tags).join(', ')}`]),
      ...(encryptionScope === null ? [] : [`the encryption scope ${encryptionScope}`]),
    ];
    const right =
      cause.status === 403 && Object.keys(tags).length > 0
        ? '; tags need the role Storage Blob Data Owner (or blobs/tags/write in a custom role), or the permission t in a shared access signature'
        : '; see APP_AZURE_ACCESS_TIER, APP_AZURE_TAGS, APP_AZURE_METADATA, APP_AZURE_ENCRYPTION_SCOPE and the labels of the session';
    const what = given.length === 0 ? 'this metadata' : given.join(' and ');
    super(cause.code, 'probe', `the store refuses ${what}: ${cause.message}${right}`, cause.status);
  }
}

/** Whether a request went out and the service did not answer it: nobody did, or something else in its place. */
export function isAway(error: unknown): boolean {
  if (!(error instanceof StoreError) || saysNo(error)) return false;
  return error.status !== null || !(NO_TOKEN.test(error.code) || error.code === SAS_UNREADABLE);
}

/** The service's error code, wherever this answer carries it (a HEAD has it in a header alone). */
export function serviceCode(error: RestError): string | undefined {
  const details = error.details as { errorCode?: string; code?: string } | undefined;
  // the header first: where a body cannot be read, the SDK's own code is PARSE_ERROR
  const header = error.response?.headers.get('x-ms-error-code');
  return header ?? details?.errorCode ?? error.code ?? details?.code;
}

/** The status of an SDK error, or undefined. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof RestError ? error.statusCode : undefined;
}
