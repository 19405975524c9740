import { messageOf } from '@app/shared/domain';
import { HEARTBEAT_MS, Pods, type PodReport, type Reported } from '@app/shared/pods';
import { Questions } from '@app/shared/questions';
import { jobStates, openUploadQueue, retryData } from '@app/shared/queue';
import { History, Incoming, Manifests, Moves, Sessions } from '@app/shared/records';
import {
  connectForRequests,
  connectForWork,
  disconnect,
  proveRedis,
  refusalProblem,
  sayLosses,
  tokenRoutes,
} from '@app/shared/redis';
import { createRegistry, Health, type ProcessContext, type RunningProcess } from '@app/shared/runtime';
import { Asking } from './asking.js';
import { ApiModule } from './api.module.js';
import { uploadBoard } from './board/board.js';
import { EventStream } from './events/event-stream.js';
import { closeHttp, serveHttp } from './http.js';
import { measureQueue } from './metrics.js';
import type { ApiParts } from './parts.js';
import { RedisGate } from './redis-gate.js';
import { RedisWatch } from './redis-watch.js';
import { SessionWaits } from './sessions/session-waits.js';
import { webhookProblems } from './status/webhook.js';
import { VolumeSample } from './volume-sample.js';
import { Webhooks } from './webhooks/webhooks.js';

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
  const redis = connectForRequests(config.redis, onError);
  sayLosses(redis, log);
  // BullMQ has one of its own, so that its scripts never stand before a status call
  const queueRedis = connectForRequests(config.redis, onError);
  // a subscription waits and comes back by itself
  const listening = connectForWork(config.redis, onError);
  const queue = openUploadQueue(queueRedis, prefix, (error) => log.debug(`queue: ${messageOf(error)}`));
  const gate = new RedisGate(redis);
  const pods = new Pods(redis, prefix);
  const watch = new RedisWatch(redis, prefix, gate, fail);
  const stream = new EventStream(listening, redis, prefix, log);
  const sample = new VolumeSample(config.roots);
  const sessions = new Sessions(redis, prefix);
  const history = new History(redis, prefix, jobStates(redis, prefix));
  const sessionWaits = new SessionWaits(sessions, gate);
  // the stream's subscription serves those who wait, too
  listening.on('message', (_channel, text: string) => sessionWaits.heard(text));
  const workRedis = config.webhook && connectForWork(config.redis, onError);
  const webhooks =
    config.webhook && workRedis
      ? new Webhooks({
          ...{ receiver: config.webhook, proxies: config.proxies },
          ...{ gate, redis, queueRedis, workRedis, prefix, log },
        })
      : null;
  let lastBeat: Reported = { written: true, refusal: null };
  const parts: ApiParts = {
    redis,
    prefix,
    gate,
    queue,
    retryData: retryData(redis, prefix),
    sessions,
    sessionWaits,
    history,
    manifests: new Manifests(redis, prefix, history, sessions),
    moves: new Moves(redis, prefix),
    incoming: new Incoming(redis, prefix),
    labels: config.labels,
    pods,
    asking: new Asking(gate, new Questions(redis, prefix), pods),
    log,
    ownProblems: () =>
      [
        watch.fault,
        watch.trouble,
        lastBeat.refusal && refusalProblem(lastBeat.refusal),
        ...webhookProblems(webhooks?.state ?? null),
      ].filter((sentence) => sentence !== null),
    podsAreHeard: () => lastBeat.written,
  };
  health.addReady(() => [gate.trouble, watch.fault].filter((reason) => reason !== null));
  measureQueue(registry, () =>
    gate.ask(() => queue.getJobCounts('waiting', 'prioritized', 'active', 'delayed', 'failed', 'completed')),
  );
  const app = await serveHttp(
    config,
    log,
    registry,
    ApiModule.forRoot(health, registry, parts, stream),
    uploadBoard(parts, webhooks?.queue ?? null),
  );
  proveRedis(redis, prefix)
    .then(() => {
      if (config.redis.credential === 'identity')
        log.info({ routes: tokenRoutes(config.redis) }, 'Redis lets us in');
    })
    .catch(fail);
  watch.start();
  stream.start();
  sample.start();
  webhooks?.start();

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
    problems: sample.trouble === null ? [] : [sample.trouble],
    hands: [],
    rates: {},
  });
  const beat = () =>
    void gate
      .ask(() => pods.report(report()))
      .then((reported) => (lastBeat = reported))
      .catch(() => undefined);
  redis.on('ready', beat);
  if (redis.status === 'ready') beat();
  const heartbeat = setInterval(beat, HEARTBEAT_MS);

  return {
    hangs: () => sample.hungSinceMs() > 1000,
    stop: async () => {
      clearInterval(heartbeat);
      redis.off('ready', beat);
      watch.stop();
      stream.stop();
      sessionWaits.stop();
      await Promise.all([closeHttp(app), sample.stop(), webhooks?.stop()]);
      await gate.ask(() => pods.leave(pod.id)).catch(() => undefined);
      await Promise.race([queue.close(), new Promise((resolve) => setTimeout(resolve, 500))]);
      await Promise.all([redis, queueRedis, listening, ...(workRedis ? [workRedis] : [])].map(disconnect));
    },
  };
}
