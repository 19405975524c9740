import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import { Router, type Express, type Request, type Response } from 'express';
import { jobId, messageOf } from '@app/shared/domain';
import type { UploadPayload, UploadQueue } from '@app/shared/queue';
import { sendProblem } from '../problems/problem.js';
import type { RedisGate } from '../redis-gate.js';

/** Where Bull Board stands. */
export const BOARD_PATH = '/admin/queues';

/** Finds a job also by its decoded id: the links of Bull Board's page lose one percent-encoding on their way. */
class UploadAdapter extends BullMQAdapter {
  override async getJob(id: string): ReturnType<BullMQAdapter['getJob']> {
    return (await super.getJob(id)) ?? (id.startsWith('f-') ? super.getJob(jobId(id.slice(2))) : undefined);
  }
}

/**
 * Bull Board over the upload queue. What it does to jobs never touches files: uploaders and recovery see to those.
 *
 * @param ping asks Redis for a sign of life
 */
export function uploadBoard(queue: UploadQueue, gate: RedisGate, ping: () => Promise<unknown>): Router {
  const options = {
    description:
      'Files on their way into the store. A failed job stands for a quarantined file: retry moves the file back to work, remove keeps the file (and recovery shows it here again).',
    // what is done has no source to run again with
    allowCompletedRetries: false,
  };
  const adapter = new UploadAdapter(queue, options);
  adapter.setFormatter('name', (job: { data?: Partial<UploadPayload> }) => {
    const { filename, date_prefix, encoded_session } = job.data ?? {};
    if (filename === undefined) return 'upload';
    return date_prefix === undefined ? filename : `${filename} (${date_prefix}/${encoded_session})`;
  });
  const server = new ExpressAdapter();
  server.setBasePath(BOARD_PATH);
  createBullBoard({
    queues: [adapter],
    serverAdapter: server,
    options: { uiConfig: { boardTitle: 'Sluice', hideRedisDetails: true } },
  });
  server.setErrorHandler((error) => ({
    status: 500,
    body: { status: 500, title: 'Internal Server Error', detail: messageOf(error), error: messageOf(error) },
  }));
  const board = server.getRouter() as Express;
  board.disable('x-powered-by');
  return Router()
    .use('/api', (_request: Request, response: Response, next) => {
      gate.ask(ping).then(
        () => next(),
        (error: unknown) => sendProblem(response, 503, messageOf(error)),
      );
    })
    .use(board);
}
