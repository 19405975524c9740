import { uploadJob, type UploadPayload } from '@app/shared/queue';
import { failureCode } from '@app/shared/runtime';
import type { ScannerParts } from './parts.js';

/** Adds jobs in one round trip. Here the trace of each file begins, which its job carries to the uploaders. */
export async function addTraced(
  { queue, tracing }: ScannerParts,
  payloads: readonly UploadPayload[],
): Promise<void> {
  const spans = payloads.map(({ date_prefix, encoded_session, filename, size }) =>
    tracing.begin('enqueue', 'producer', {
      'file.name': filename,
      'sluice.session': `${date_prefix}/${encoded_session}`,
      ...(size === undefined ? {} : { 'file.size': size }),
    }),
  );
  try {
    await queue.addBulk(payloads.map((payload, i) => uploadJob(payload, spans[i]?.carrier)));
    for (const span of spans) span.end();
  } catch (error) {
    for (const span of spans) span.end({}, failureCode(error));
    throw error;
  }
}
