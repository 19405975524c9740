import { ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import helmet from 'helmet';
import { messageOf } from '@app/shared/domain';
import { HEARTBEAT_MS, Pods, type PodReport } from '@app/shared/pods';
import { jobStates, openUploadQueue } from '@app/shared/queue';
import { History, Incoming, Sessions } from '@app/shared/records';
import {
  connectForRequests,
  connectForWork,
  disconnect,
  evictionFault,
  memoryProblem,
  readRedisMemory,
} from '@app/shared/redis';
import {
  createRegistry,
  Health,
  nestLogger,
  StartupError,
  type ProcessContext,
  type RunningProcess,
} from '@app/shared/runtime';
import { refuseCrossSite, refuseForeignHost, requireToken } from './access/access.js';
import { requireJson } from './access/body.js';
import { ApiModule } from './api.module.js';
import { BOARD_PATH, uploadBoard } from './board/board.js';
import { serveDocs } from './docs.js';
import { EventStream } from './events/event-stream.js';
import { measureQueue, measureRequests } from './metrics.js';
import type { ApiParts } from './parts.js';
import { ProblemFilter } from './problems/problem.js';
import { RedisGate } from './redis-gate.js';
import { VolumeSample } from './volume-sample.js';

/** Largest body that is read. */
const BODY_LIMIT = '1mb';
/** How often Redis' memory is looked at; milliseconds. */
const MEMORY_MS = 10_000;

/**
 * Composes the api and starts it: it listens at once and answers 503 while Redis is away.
 *
 * @param fail ends the process with one line
 */
export async function startApi(
  { config, log, pod }: ProcessContext,
  fail: (error: unknown) => void,
): Promise<RunningProcess> {
  const { prefix } = config.redis;
  const health = new Health();
  const registry = createRegistry('api');
  const onError = (message: string) => log.debug(`redis: ${message}`);
  const redis = connectForRequests(config.redis.url, onError);
  // subscriptions and BullMQ wait and reconnect by themselves; no request waits for them longer than the gate allows
  const listening = connectForWork(config.redis.url, onError);
  const background = connectForWork(config.redis.url, onError);
  const queue = openUploadQueue(background, prefix, (error) => log.debug(`queue: ${messageOf(error)}`));
  const gate = new RedisGate(redis);
  const pods = new Pods(redis, prefix);
  const parts: ApiParts = {
    redis,
    prefix,
    gate,
    queue,
    sessions: new Sessions(redis, prefix),
    history: new History(redis, prefix, jobStates(redis, prefix)),
    incoming: new Incoming(redis, prefix),
    pods,
    log,
  };
  const stream = new EventStream(listening, prefix, log);
  const sample = new VolumeSample(config.roots);
  health.addReady(() => (gate.ready ? [] : ['Redis is away']));
  measureQueue(registry, () =>
    gate.ask(() => queue.getJobCounts('waiting', 'prioritized', 'active', 'delayed', 'failed', 'completed')),
  );

  const app = await NestFactory.create<NestExpressApplication>(
    ApiModule.forRoot(health, registry, parts, stream),
    {
      logger: nestLogger(log),
      abortOnError: false,
      bodyParser: false,
    },
  );
  app.disable('x-powered-by');
  app.use(measureRequests(registry));
  // everything that Bull Board and Swagger UI show comes from here; only their styles are inline
  app.use(
    helmet({
      contentSecurityPolicy: {
        directives: { 'upgrade-insecure-requests': null, 'img-src': ["'self'", 'data:'] },
      },
    }),
  );
  app.use(refuseForeignHost(config.api.token === null && !config.api.open));
  app.use(requireToken(config.api.token));
  app.use(refuseCrossSite);
  app.use(BOARD_PATH, uploadBoard(queue));
  app.use(requireJson);
  app.useBodyParser('json', { limit: BODY_LIMIT });
  app.useGlobalPipes(new ValidationPipe({ whitelist: true, forbidNonWhitelisted: true, transform: false }));
  app.useGlobalFilters(new ProblemFilter(log));
  serveDocs(app);
  await app.listen(config.http.port, config.http.bind);
  log.info(
    { bind: config.http.bind, port: config.http.port, access: config.api.token === null ? 'open' : 'token' },
    'listening',
  );
  sample.start();

  let memoryTrouble: string | null = null;
  const checkMemory = async (): Promise<void> => {
    const memory = await gate.ask(() => readRedisMemory(redis));
    memoryTrouble = memoryProblem(memory);
    const fault = evictionFault(memory);
    if (fault) throw new StartupError(fault);
  };
  redis.once(
    'ready',
    () =>
      void checkMemory().catch((error: unknown) => (error instanceof StartupError ? fail(error) : undefined)),
  );
  const memoryTimer = setInterval(() => void checkMemory().catch(() => undefined), MEMORY_MS);
  const report = (): PodReport => ({
    id: pod.id,
    role: 'api',
    name: pod.name,
    version: pod.version,
    started_at: pod.startedAt,
    ready: health.readyReasons().length === 0,
    standby: false,
    volume: sample.id,
    disk: { volume: sample.space, staging: null },
    problems: memoryTrouble === null ? [] : [memoryTrouble],
    hands: [],
    rates: {},
  });
  const beat = () => void gate.ask(() => pods.report(report())).catch(() => undefined);
  redis.on('ready', beat);
  const heartbeat = setInterval(beat, HEARTBEAT_MS);

  return {
    hangs: () => sample.hungSinceMs() > 1000,
    stop: async () => {
      clearInterval(heartbeat);
      clearInterval(memoryTimer);
      stream.stop();
      await gate.ask(() => pods.leave(pod.id)).catch(() => undefined);
      await Promise.all([app.close(), sample.stop()]);
      await Promise.race([queue.close(), new Promise((resolve) => setTimeout(resolve, 500))]);
      await Promise.all([redis, listening, background].map(disconnect));
    },
  };
}
