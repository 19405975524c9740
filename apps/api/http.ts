import type { DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { RequestHandler } from 'express';
import helmet from 'helmet';
import type { Registry } from 'prom-client';
import type { Config } from '@app/shared/config';
import { nestLogger, type Logger } from '@app/shared/runtime';
import { refuseCrossSite, refuseForeignHost, requireToken } from './access/access.js';
import { readBody } from './access/body.js';
import { KnownQuery } from './access/known-query.js';
import { validation } from './access/validation.js';
import { BOARD_PATH } from './board/board.js';
import { serveDocs } from './docs.js';
import { livePage } from './live-page/live-page.js';
import { measureRequests } from './metrics.js';
import { ProblemFilter } from './problems/problem.js';

/** How long open requests may take to end at shutdown; milliseconds. */
const CLOSE_MS = 2_000;

/** The api's HTTP side: what every request passes, in this order, before it reaches its controller. */
export async function serveHttp(
  config: Config,
  log: Logger,
  registry: Registry,
  module: DynamicModule,
  board: RequestHandler,
): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(module, {
    logger: nestLogger(log),
    abortOnError: false,
    bodyParser: false,
  });
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(measureRequests(registry));
  // everything that Bull Board and Swagger UI run and show comes from here; only styles and small images are inline
  app.use(
    helmet({
      contentSecurityPolicy: {
        directives: {
          'upgrade-insecure-requests': null,
          'style-src': ["'self'", "'unsafe-inline'"],
          'font-src': ["'self'", 'data:'],
          'img-src': ["'self'", 'data:'],
        },
      },
    }),
  );
  app.use(refuseForeignHost(config.api.token === null && !config.api.open));
  app.use(requireToken(config.api.token));
  app.use(refuseCrossSite);
  // before Bull Board too, whose own reader takes what is deep, large or sent as something else
  app.use(readBody());
  app.use(BOARD_PATH, board);
  app.use(livePage());
  app.useGlobalPipes(validation());
  app.useGlobalFilters(new ProblemFilter(log));
  app.useGlobalGuards(new KnownQuery(serveDocs(app)));
  await app.listen(config.http.port, config.http.bind);
  log.info(
    { bind: config.http.bind, port: config.http.port, access: config.api.token === null ? 'open' : 'token' },
    'listening',
  );
  return app;
}

/** Closes the server: what is being answered may end, then every connection is cut. */
export async function closeHttp(app: NestExpressApplication): Promise<void> {
  const server = app.getHttpServer();
  const cut = setTimeout(() => server.closeAllConnections(), CLOSE_MS);
  const closed = app.close();
  server.closeIdleConnections();
  await closed;
  clearTimeout(cut);
}
