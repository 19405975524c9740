import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import type { RequestHandler } from 'express';
import type { UploadPayload, UploadQueue } from '@app/shared/queue';

/** Where Bull Board stands. */
export const BOARD_PATH = '/admin/queues';

/** Bull Board over the upload queue. What it does to jobs never touches files: uploaders and recovery see to those. */
export function uploadBoard(queue: UploadQueue): RequestHandler {
  const adapter = new BullMQAdapter(queue, {
    description:
      'Files on their way into the store. Failed jobs stand for quarantined files: retry moves the file back, remove keeps it.',
  });
  adapter.setFormatter('name', (job: { data?: Partial<UploadPayload> }) => {
    const { filename, date_prefix, encoded_session } = job.data ?? {};
    return filename === undefined ? 'upload' : `${filename} (${date_prefix}/${encoded_session})`;
  });
  const server = new ExpressAdapter();
  server.setBasePath(BOARD_PATH);
  createBullBoard({
    queues: [adapter],
    serverAdapter: server,
    options: { uiConfig: { boardTitle: 'Sluice', hideRedisDetails: true } },
  });
  return server.getRouter() as RequestHandler;
}
