import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import type { BeforeHook } from '@bull-board/api/typings/app';
import { ExpressAdapter } from '@bull-board/express';
import type { Queue } from 'bullmq';
import { Router, type Express, type Request, type Response } from 'express';
import { STATUS_CODES } from 'node:http';
import { messageOf } from '@app/shared/domain';
import type { ApiParts } from '../parts.js';
import { sendProblem } from '../problems/problem.js';
import { UploadAdapter } from './adapter.js';

/** Where Bull Board stands. */
export const BOARD_PATH = '/admin/queues';

/** A job stands for a file that the scanner found; one that is made or rewritten by hand would stand for none. */
const HAND_MADE = /\/(?:add|update-data|job-schedulers\/:schedulerId(?:\/run)?)$/;
const NOT_BY_HAND = 'a job is not made or changed by hand: drop a file, and the scanner makes its job';
/** It would hold all uploaders back without a trace; one that was set otherwise may be removed here. */
const LIMIT = /\/(?:concurrency|rate-limit)$/;
const NO_LIMIT =
  'a limit of the whole queue is not set by hand: APP_WORKER_CONCURRENCY says how many files an uploader works on at once, and Pause holds all of them';

/** Refuses what would move no file, with a sentence that the person who pressed the button reads. */
const refuse: BeforeHook = ({ method, route, request }) => {
  if (HAND_MADE.test(route)) return { allow: false, message: NOT_BY_HAND };
  if (method === 'get' || !LIMIT.test(route)) return;
  const { concurrency, max } = (request.body ?? {}) as { concurrency?: unknown; max?: unknown };
  const removes = route.endsWith('/concurrency') ? concurrency === 0 : max === null;
  return removes ? undefined : { allow: false, message: NO_LIMIT };
};

/**
 * The router of Bull Board's page decodes an address before it takes it apart, and once more whenever it is shown
 * again (https://github.com/remix-run/history/issues/505). Of a job id that holds a percent sign that leaves another
 * job's id or, where a literal `%` remains, an error and a blank page. It is the only part of the page that calls
 * `decodeURI`; so there the addresses stay as they are.
 */
const WHOLE_ADDRESSES = 'window.decodeURI = (address) => address;\n';
const SCRIPT = 'whole-addresses.js';

/** A font of Google's: where that host does not answer the page waits for it, and elsewhere it learns who looks. */
const FOREIGN_LINK = /<link\b[^>]*\bhref=["']?(?:https?:)?\/\/[^>]*>/gi;

/** Bull Board's server, whose page keeps addresses whole and asks no other host for anything. */
class BoardServer extends ExpressAdapter {
  override setEntryRoute(entry: Parameters<ExpressAdapter['setEntryRoute']>[0]): this {
    this.app.get(`/${SCRIPT}`, (_request, response) => {
      response.type('text/javascript').send(WHOLE_ADDRESSES);
    });
    this.app[entry.method](entry.route, (_request: Request, response: Response, next) => {
      const { name, params } = entry.handler({ basePath: this.basePath, uiConfig: this.uiConfig });
      response.render(name, params, (error, html) => {
        if (error) return next(error);
        // before all scripts of the page, which are deferred
        response.send(
          html.replace(FOREIGN_LINK, '').replace('</head>', `<script src="${SCRIPT}"></script></head>`),
        );
      });
    });
    return this;
  }
}

const NOTIFY = {
  description:
    'Events on their way to the webhook. A failed job is an event that the receiver did not take within 24 hours: retry sends it once more.',
  allowCompletedRetries: false,
};

/** Bull Board over the upload queue, and over that of the webhook's events where there is one. What it does to jobs never touches files: uploaders and recovery see to those. */
export function uploadBoard(parts: ApiParts, notify: Queue | null): Router {
  const server = new BoardServer();
  server.setBasePath(BOARD_PATH);
  createBullBoard({
    queues: [new UploadAdapter(parts), ...(notify ? [new BullMQAdapter(notify, NOTIFY)] : [])],
    serverAdapter: server,
    options: {
      uiConfig: { boardTitle: 'Sluice', hideRedisDetails: true },
      handlerHooks: { before: refuse },
    },
  });
  server.setErrorHandler((error: Error & { readonly status?: number }) => {
    // an address that cannot be read is the caller's
    const status = error.status === 400 ? 400 : 500;
    const [title, detail] = [STATUS_CODES[status] ?? 'Error', messageOf(error)];
    return { status, body: { status, title, detail, error: detail } };
  });
  const board = server.getRouter() as Express;
  board.disable('x-powered-by');
  return Router()
    .use('/api', (_request: Request, response: Response, next) => {
      parts.gate
        .ask(() => parts.redis.ping())
        .then(
          () => next(),
          (error: unknown) => sendProblem(response, 503, messageOf(error)),
        );
    })
    .use(board);
}
