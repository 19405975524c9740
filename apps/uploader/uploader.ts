import { NestFactory } from '@nestjs/core';
import { Layout, messageOf } from '@app/shared/domain';
import { Staging, Volume, VolumeClock } from '@app/shared/files';
import { WaysOut } from '@app/shared/network';
import { HEARTBEAT_MS, POD_DEAD_MS, Pods, type DiskUse, type PodReport } from '@app/shared/pods';
import { History, lookAtRedis, Manifests, Moves, Sessions, StoredFiles } from '@app/shared/records';
import { Answering } from '@app/shared/questions';
import { jobStates } from '@app/shared/queue';
import {
  connectForWork,
  disconnect,
  refusalProblem,
  sayLosses,
  tokenRoutes,
  waitForReplicas,
} from '@app/shared/redis';
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
import { BlockMemory } from './blob-store/block-memory.js';
import { sharedSignal } from './blob-store/blob-store.js';
import { NoAccess, openBlobStore } from './blob-store/credentials.js';
import { Hands } from './hands.js';
import { UploaderMetrics } from './metrics.js';
import { ManifestWriter } from './manifest.js';
import { Planner } from './plan.js';
import { ProvedLabels } from './proved-labels.js';
import { stillProblems } from './still.js';
import { StoreGate } from './store-gate.js';
import { UploadWorker } from './upload-worker.js';
import { UploaderModule } from './uploader.module.js';
import { SessionVerifier } from './verify-session/verify-page.js';
import { VolumeWatch } from './volume-watch.js';

/** Threads for calls on the volume besides copies: such a call takes a round trip, and each thread some 9 MiB of memory. */
const VOLUME_THREADS = 2;
/** Sockets beside those for blocks: probes, lists and commits. */
const SPARE_SOCKETS = 16;
/** A connection on which nothing moved for so long is dead; milliseconds. Slow links keep moving, however large the block. */
const IDLE_LIMIT_MS = 30_000;

/**
 * Composes an uploader and starts it: probes at once, files once Redis, the store and the volume are proved.
 *
 * @param fail ends the process with one line
 */
export async function startUploader(
  { config, log, pod }: ProcessContext,
  fail: (error: unknown) => void,
): Promise<RunningProcess> {
  const tracing = await openTracing(config, pod.name, log);
  const health = new Health();
  const registry = createRegistry('uploader');
  const app = await NestFactory.create(UploaderModule.forRoot(health, registry), {
    logger: nestLogger(log),
    abortOnError: false,
  });
  await app.listen(config.http.port, config.http.bind);

  const { prefix } = config.redis;
  const redis = connectForWork(config.redis, (message) => log.debug(`redis: ${message}`));
  sayLosses(redis, log);
  const listening = connectForWork(config.redis, (message) => log.debug(`redis: ${message}`));
  const layout = new Layout(config.roots);
  const hands = new Hands();
  const metrics = new UploaderMetrics(registry, {
    inFlight: () => hands.names().length,
    bytesInFlight: () => staging.reservedBytes,
    away: () => ({
      store: gate?.open === false,
      volume: worker !== null && watch.trouble !== null,
    }),
  });
  const volume: Volume = new Volume({
    threads: VOLUME_THREADS,
    onCall: (call) => fileMetrics.called('volume', call),
  });
  const staging = new Staging({
    root: config.staging.root,
    limitBytes: config.staging.limitBytes,
    blockRule: config.blocks,
    contentMd5: config.azure.contentMd5,
    onCall: (call) => fileMetrics.called('staging', call),
  });
  const hung = () => Math.max(volume.hungSinceMs(Date.now()), staging.hungSinceMs(Date.now()));
  let stagingSpace: DiskUse | null = null;
  /** When Redis last answered to this pod's report, and its words where it refused it. */
  let beatenAt = performance.now();
  let refusal: string | null = null;
  const fileMetrics = new FileMetrics(registry, {
    hungMs: hung,
    disks: { volume: () => watch.space, staging: () => stagingSpace },
  });
  const [pods, moves, sessions] = [
    new Pods(redis, prefix),
    new Moves(redis, prefix),
    new Sessions(redis, prefix),
  ];
  let stopping = false;
  let worker: UploadWorker | null = null;
  let gate: StoreGate | null = null;
  /** Another way to sign in than the one that is meant. */
  let signInProblem: string | null = null;
  let waysOut: WaysOut | null = null;
  let manifests: ManifestWriter | null = null;
  let answering: Answering | null = null;
  const clock = new VolumeClock(volume, config.roots.processing, config.scan.minFileAgeMs);
  const watch = new VolumeWatch(volume, layout, pods, clock, () => pauseOrResume());

  // files are begun only while both sides are there
  const pauseOrResume = (): void => {
    if (!worker || stopping) return;
    const well = (gate?.open ?? false) && watch.trouble === null;
    if (well) worker.resume();
    else worker.pause();
  };

  health.addLive(() =>
    hung() > config.nfsHangLimitMs
      ? [`a file operation hangs for ${Math.round(hung() / 1000)} s, over APP_NFS_HANG_LIMIT_S`]
      : [],
  );
  health.addReady(() => [
    ...(redis.status === 'ready' ? [] : ['Redis is away']),
    ...(performance.now() - beatenAt < POD_DEAD_MS ? [] : ['Redis does not answer']),
    ...(refusal === null ? [] : [refusalProblem(refusal)]),
    ...(worker ? [] : [gate ? 'the volume is not proved yet' : 'the store is not proved yet']),
    ...(watch.trouble === null ? [] : [watch.trouble]),
  ]);

  const problems = (): string[] =>
    [
      gate?.problem() ?? null,
      signInProblem,
      worker && watch.trouble,
      ...(worker?.processor.waitingFor(Date.now()) ?? []),
      ...stillProblems(worker?.still() ?? [], waysOut?.silentWithin(2 * IDLE_LIMIT_MS) ?? false),
    ].filter((sentence): sentence is string => typeof sentence === 'string');
  const stagingUse = async (): Promise<DiskUse | null> => {
    const space = await staging.space().catch(() => null);
    stagingSpace = space && {
      bytes_total: space.bytesTotal,
      bytes_free: space.bytesFree,
      inodes_total: space.inodesTotal,
      inodes_free: space.inodesFree,
    };
    return stagingSpace;
  };
  const report = async (): Promise<PodReport> => ({
    id: pod.id,
    role: 'uploader',
    name: pod.name,
    version: pod.version,
    started_at: pod.startedAt,
    ready: health.readyReasons().length === 0,
    standby: false,
    volume: watch.id,
    sidecars: config.scan.sidecars,
    disk: { volume: watch.space, staging: worker ? await stagingUse() : null },
    problems: problems(),
    hands: hands.names(),
    rates: hands.rates(),
  });
  let beating: Promise<unknown> | null = null;
  const beat = (): void => {
    beating ??= report()
      .then((text) => pods.report(text))
      .then((reported) => {
        beatenAt = performance.now();
        refusal = reported.refusal;
      })
      .catch((error: unknown) => log.debug(`heartbeat: ${messageOf(error)}`))
      .finally(() => (beating = null));
  };
  const heartbeat = setInterval(beat, HEARTBEAT_MS);

  const begin = async (): Promise<void> => {
    waysOut = new WaysOut(config.proxies, {
      sockets: config.azure.maxConcurrency * config.upload.concurrency + SPARE_SOCKETS,
      idleMs: IDLE_LIMIT_MS,
    });
    const opening = openBlobStore(config, waysOut).catch((error: unknown) => {
      throw error instanceof NoAccess ? new StartupError(error.message) : error;
    });
    const checking = lookAtRedis(redis, prefix).then(({ fault, warning }) => {
      if (fault) throw new StartupError(fault);
      if (warning) log.warn(warning);
      if (config.redis.credential === 'identity')
        log.info({ routes: tokenRoutes(config.redis) }, 'Redis lets us in');
    });
    // a Redis that cannot be used is said at once, whatever the store does
    checking.catch((error: unknown) => {
      if (!stopping) fail(error);
    });
    const proving = checking.then(() => watch.prove(() => stopping));
    proving.catch(() => undefined);
    const { store, way, identityFailed } = await opening;
    log.info(
      {
        way,
        account: config.azure.accountUrl,
        container: config.azure.container,
        routes: waysOut.routes(),
      },
      'the store lets us in',
    );
    if (identityFailed !== null && config.azure.identityGiven) {
      signInProblem = `the identity that the environment names (AZURE_CLIENT_ID and the like) did not pass, so this uploader signs in by ${way}: ${identityFailed}`;
      log.warn(signInProblem);
    } else if (identityFailed !== null) log.debug(`no identity: ${identityFailed}`);
    gate = new StoreGate(store, log, pauseOrResume);
    await Promise.all([proving, checking]);
    if (stopping) return;
    staging.start();
    const current = gate;
    const labels = new ProvedLabels(config.labels, store);
    worker = new UploadWorker({
      redis,
      prefix,
      concurrency: config.upload.concurrency,
      retryBackoffMs: config.upload.retryBackoffMs,
      tools: {
        layout,
        volume,
        staging,
        store,
        memory: new BlockMemory(config.blocks.blockMemory),
        moves,
        states: jobStates(redis, prefix),
        replicated: () => waitForReplicas(redis, config.redis.waitReplicas),
        rules: {
          blocks: config.blocks,
          maxConcurrency: config.azure.maxConcurrency,
          contentMd5: config.azure.contentMd5,
          sidecars: config.scan.sidecars,
          minFileAgeMs: config.scan.minFileAgeMs,
          pollIntervalMs: config.scan.pollIntervalMs,
          maxAttempts: config.upload.maxAttempts,
          historyMaxFiles: config.history.maxFiles,
        },
        pod: pod.name,
        clock,
      },
      moves,
      sessions,
      labels,
      hands,
      gate: () => current,
      metrics,
      tracing,
      log,
    });
    // whoever asks for the status next must not read that it is not ready
    await beating;
    beat();
    worker.start();
    const verifier = new SessionVerifier(store, new StoredFiles(redis, prefix));
    const planner = new Planner(store, config.blocks, () => current.problem());
    answering = new Answering(redis, listening, prefix, 'uploader', pod.id, {
      verify: (question, signal) => verifier.answer(question, sharedSignal(signal)),
      plan: (question, signal) => planner.answer(question, signal),
    });
    answering.start().catch((error: unknown) => log.debug(`questions are not heard: ${messageOf(error)}`));
    if (config.upload.writeManifest) {
      const history = new History(redis, prefix, jobStates(redis, prefix));
      manifests = new ManifestWriter(
        sessions,
        new Manifests(redis, prefix, history, sessions),
        store,
        log,
        config.labels.encryptionScope,
      );
      manifests.start();
    }
    log.info({ staging: config.staging.root, concurrency: config.upload.concurrency }, 'taking files');
  };
  void begin().catch(fail);

  return {
    hangs: () => hung() > 1000,
    stop: async () => {
      stopping = true;
      watch.stop();
      gate?.stop();
      // the queue and its locks need Redis until the last file is handed back
      const silent = Promise.race([answering?.stop(), new Promise((resolve) => setTimeout(resolve, 500))]);
      await Promise.all([worker?.stop(config.shutdownGraceMs), manifests?.stop(), silent]);
      clearInterval(heartbeat);
      const left = Promise.race([
        pods.leave(pod.id).catch(() => undefined),
        new Promise((resolve) => setTimeout(resolve, 500)),
      ]);
      await Promise.all([left, tracing.stop()]);
      await Promise.all([staging.stop(), volume.stop(), app.close()]);
      await Promise.all([redis, listening].map(disconnect));
    },
  };
}
