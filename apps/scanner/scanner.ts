import { NestFactory } from '@nestjs/core';
import { Layout, messageOf } from '@app/shared/domain';
import { Volume, VolumeClock } from '@app/shared/files';
import { HEARTBEAT_MS, Pods, ScannerLease, type DiskUse, type PodReport } from '@app/shared/pods';
import { Answering } from '@app/shared/questions';
import { jobStates, openUploadQueue, trimCompleted } from '@app/shared/queue';
import {
  Beats,
  Incoming,
  lookAtRedis,
  Moves,
  NameIndexUpkeep,
  onSessionStart,
  Sessions,
  Trim,
} from '@app/shared/records';
import { connectForWork, disconnect, sayLosses, tokenRoutes } from '@app/shared/redis';
import {
  createRegistry,
  FileMetrics,
  Health,
  nestLogger,
  openTracing,
  StartupError,
  type ProcessContext,
  type RunningProcess,
} from '@app/shared/runtime';
import { ignoredBy } from './ignored.js';
import { KeptFiles } from './kept-files.js';
import { ScannerMetrics } from './metrics.js';
import { NameIndexKeeper } from './name-index.js';
import type { ScannerParts } from './parts.js';
import { restore } from './restore.js';
import { Rounds } from './rounds.js';
import { ScanLoop, within } from './scan-loop.js';
import { ScannerModule } from './scanner.module.js';
import { Trimming } from './trimming.js';
import { WaitingFiles } from './waiting-files.js';

/** How often disk use is read; milliseconds. */
const SPACE_MS = 5_000;

/**
 * Composes a scanner and starts it: probes at once, scans once Redis is there and the lease is held.
 *
 * @param fail ends the process with one line
 */
export async function startScanner(
  { config, log, pod }: ProcessContext,
  fail: (error: unknown) => void,
): Promise<RunningProcess> {
  const tracing = await openTracing(config, pod.name, log);
  const health = new Health();
  const registry = createRegistry('scanner');
  const metrics = new ScannerMetrics(registry, () => loop.lastScan);
  const app = await NestFactory.create(ScannerModule.forRoot(health, registry), {
    logger: nestLogger(log),
    abortOnError: false,
  });
  await app.listen(config.http.port, config.http.bind);

  const { prefix } = config.redis;
  const redis = connectForWork(config.redis, (message) => log.debug(`redis: ${message}`));
  sayLosses(redis, log);
  const listening = connectForWork(config.redis, (message) => log.debug(`redis: ${message}`));
  const volume: Volume = new Volume({ onCall: (call) => fileMetrics.called('volume', call) });
  const hung = () => volume.hungSinceMs(Date.now());
  let space: DiskUse | null = null;
  const fileMetrics = new FileMetrics(registry, { hungMs: hung, disks: { volume: () => space } });
  const queue = openUploadQueue(redis, prefix, (error) => log.debug(`queue: ${messageOf(error)}`));
  const pods = new Pods(redis, prefix);
  const layout = new Layout(config.roots);
  const parts: ScannerParts = {
    redis,
    prefix,
    layout,
    volume,
    queue,
    states: jobStates(redis, prefix),
    trimCompleted: trimCompleted(redis, prefix),
    sessions: new Sessions(redis, prefix),
    beats: new Beats(redis, prefix),
    moves: new Moves(redis, prefix),
    incoming: new Incoming(redis, prefix),
    pods,
    log,
    tracing,
    pod: pod.id,
    leads: () => loop.leads(),
    rules: {
      minFileAgeMs: config.scan.minFileAgeMs,
      pollIntervalMs: config.scan.pollIntervalMs,
      ignored: ignoredBy(config.scan.ignorePatterns),
      scanDepth: config.scan.depth,
      emptyFolderAgeMs: config.scan.emptyFolderAgeMs,
      sidecars: config.scan.sidecars,
      maxQueueSize: config.scan.maxQueueSize,
    },
    now: Date.now,
    clock: new VolumeClock(volume, config.roots.processing, config.scan.minFileAgeMs),
  };
  const rounds = new Rounds(parts, config.scan.recoveryIntervalMs);
  const loop: ScanLoop = new ScanLoop(
    parts,
    new ScannerLease(redis, prefix, pod.id),
    rounds,
    config.scan.pollIntervalMs,
    (round) => metrics.scanned(round),
    fail,
  );

  const waiting = new WaitingFiles(parts, rounds);
  const isReady = (): boolean => loop.leads() && loop.volumeId !== null;
  const answers = {
    waiting: (asked: Parameters<WaitingFiles['answer']>[0]) => waiting.answer(asked),
    restore: (asked: Parameters<typeof restore>[1]) => restore(parts, asked),
  };
  const answering = new Answering(redis, listening, prefix, 'scanner', pod.id, answers, isReady);
  const { done } = config.roots;
  const keptFiles = done === undefined ? null : new KeptFiles(parts, done, config.keepDone, isReady);
  const trimming = new Trimming(new Trim(redis, prefix), config.history, log);
  const names = new NameIndexKeeper(new NameIndexUpkeep(redis, prefix), parts.leads, log);

  health.addLive(() =>
    hung() > config.nfsHangLimitMs
      ? [`a file operation hangs for ${Math.round(hung() / 1000)} s, over APP_NFS_HANG_LIMIT_S`]
      : [],
  );
  health.addReady(() => (redis.status === 'ready' ? loop.readyReasons() : ['Redis is away']));

  let sampling = false;
  const sample = (): void => {
    // one call at a time: on a volume that hangs each would cost a thread
    if (sampling) return;
    sampling = true;
    void volume
      .space(config.roots.processing)
      .then(
        ({ bytesTotal, bytesFree, inodesTotal, inodesFree }) =>
          (space = {
            bytes_total: bytesTotal,
            bytes_free: bytesFree,
            inodes_total: inodesTotal,
            inodes_free: inodesFree,
          }),
      )
      .catch(() => (space = null))
      .finally(() => (sampling = false));
  };
  sample();
  const samples = setInterval(sample, SPACE_MS);

  const report = (): PodReport => ({
    id: pod.id,
    role: 'scanner',
    name: pod.name,
    version: pod.version,
    started_at: pod.startedAt,
    ready: health.readyReasons().length === 0,
    standby: loop.standby,
    volume: loop.volumeId,
    sidecars: config.scan.sidecars,
    disk: { volume: space, staging: null },
    problems: [...loop.problems(), ...(keptFiles?.problems() ?? [])],
    hands: [],
    rates: {},
  });
  let beating = false;
  const heartbeat = setInterval(() => {
    if (beating) return;
    beating = true;
    void pods
      .report(report())
      .catch((error: unknown) => log.debug(`heartbeat: ${messageOf(error)}`))
      .finally(() => (beating = false));
  }, HEARTBEAT_MS);

  const begin = async (): Promise<void> => {
    const { fault, warning } = await lookAtRedis(redis, prefix);
    if (fault) throw new StartupError(fault);
    if (warning) log.warn(warning);
    if (config.redis.credential === 'identity')
      log.info({ routes: tokenRoutes(config.redis) }, 'Redis lets us in');
    loop.start();
    trimming.start();
    keptFiles?.start();
    names.start();
    onSessionStart(listening, prefix, () => loop.hurry()).catch((error: unknown) =>
      log.debug(`session starts are not heard of: ${messageOf(error)}`),
    );
    answering.start().catch((error: unknown) => log.debug(`questions are not heard: ${messageOf(error)}`));
  };
  void begin().catch(fail);

  return {
    hangs: () => hung() > 1000,
    stop: async () => {
      clearInterval(samples);
      await Promise.all([
        loop.stop(),
        trimming.stop(),
        keptFiles?.stop(),
        names.stop(),
        within(500, answering.stop()),
      ]);
      clearInterval(heartbeat);
      await Promise.all([within(500, pods.leave(pod.id)), tracing.stop()]);
      await Promise.all([volume.stop(), app.close()]);
      await within(500, queue.close());
      await Promise.all([redis, listening].map(disconnect));
    },
  };
}
