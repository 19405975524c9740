import { RestError } from '@azure/storage-blob';
import { codeOf, Interrupted, messageOf, StoreError, type Disposition } from '@app/shared/domain';

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
 * What the service's error codes mean for a file; whatever is not here is judged by its status.
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
  ResourceTypeMismatch: 'quarantine',
};

/** Statuses that say nothing about the file: the service, the way to it or the credentials may be at fault. */
const BY_STATUS: Readonly<Record<number, Disposition>> = {
  401: 'probe',
  403: 'probe',
  408: 'probe',
  429: 'outage',
  500: 'probe',
  502: 'probe',
  503: 'outage',
  504: 'probe',
};

/**
 * Turns whatever the SDK threw into a {@link StoreError} or {@link Interrupted}; the one place where vendor codes are read.
 *
 * @param doing what was tried, e.g. `put block`
 */
export function storeError(error: unknown, doing: string): StoreError | Interrupted {
  if (error instanceof StoreError || error instanceof Interrupted) return error;
  if (error instanceof Error && error.name === 'AbortError') return new Interrupted(`${doing} was aborted`);
  if (error instanceof RestError && error.statusCode !== undefined) {
    const code = serviceCode(error) ?? 'HttpError';
    const disposition = BY_CODE[code] ?? BY_STATUS[error.statusCode] ?? 'retry';
    return new StoreError(code, disposition, `${error.statusCode} ${code} from ${doing}`, error.statusCode);
  }
  const code = codeOf(error);
  if (code === 'ETIMEDOUT' || code === 'ESOCKETTIMEDOUT')
    return new StoreError(code, 'probe', `${doing} timed out`);
  if (code !== undefined && NO_ANSWER.has(code))
    return new StoreError(code, 'outage', `${doing} got no answer: ${code}`);
  // token requests fail with names of their own: https://learn.microsoft.com/javascript/api/@azure/identity
  const name = error instanceof Error ? error.name : 'Error';
  if (/Credential|Authentication/.test(name))
    return new StoreError(name, 'probe', `${doing}: no token: ${messageOf(error)}`);
  return new StoreError(code ?? name, 'retry', `${doing}: ${messageOf(error)}`);
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
