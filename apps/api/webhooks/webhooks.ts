import { Queue, Worker, type Job } from 'bullmq';
import type { Redis } from 'ioredis';
import { messageOf as sentenceOf } from '@app/shared/domain';
import { WaysOut } from '@app/shared/network';
import type { Proxies } from '@app/shared/config';
import { NOTIFY_QUEUE } from '@app/shared/queue';
import { Outbox } from '@app/shared/records';
import type { Logger } from '@app/shared/runtime';
import type { RedisGate } from '../redis-gate.js';
import type { WebhookState } from '../status/webhook.js';
import { messageOf, type Message } from './cloud-event.js';
import { ATTEMPTS, delayAfter } from './delays.js';
import { send, type Receiver } from './send.js';

/** How often the outbox is emptied, and how often the queue is looked at for `problems`; milliseconds. */
const TAKE_MS = 1_000;
const LOOK_MS = 5_000;
/** Events sent at once by one api. */
const AT_ONCE = 4;
/** Above the time limit of a request; an api that was killed while it sent is found out after that. Milliseconds. */
const LOCK_MS = 20_000;
const STALLED_MS = 10_000;
/** An api that dies while it sends is no fault of the event. */
const NEVER = Number.MAX_SAFE_INTEGER;
/** How long a stop waits for what is being sent; milliseconds. */
const STOP_MS = 2_000;
const DAY_S = 24 * 3600;

/** What the webhooks work with. */
export interface WebhookParts {
  readonly receiver: Receiver;
  readonly proxies: Proxies;
  readonly gate: RedisGate;
  readonly redis: Redis;
  /** For the queue: requests. */
  readonly queueRedis: Redis;
  /** For the worker, which waits. */
  readonly workRedis: Redis;
  readonly prefix: string;
  readonly log: Logger;
}

/**
 * Sends events to the receiver: from the outbox, where they stand with the records that they tell of, to the queue
 * `notify`, and from there until they are taken. Each step may be repeated, the event's id stays; every api may do all of it.
 */
export class Webhooks {
  readonly queue: Queue<{ body: string }>;
  /** What `problems` says of; null before the first look, and while Redis is away. */
  state: WebhookState | null = null;
  private readonly worker: Worker<{ body: string }>;
  private readonly outbox: Outbox;
  private readonly waysOut: WaysOut;
  private readonly stopping = new AbortController();
  private timers: NodeJS.Timeout[] = [];
  private taking = false;

  constructor(private readonly parts: WebhookParts) {
    const { queueRedis, workRedis, redis, prefix, log, proxies } = parts;
    this.queue = new Queue(NOTIFY_QUEUE, { connection: queueRedis, prefix });
    this.queue.on('error', (error) => log.debug(`notify: ${sentenceOf(error)}`));
    this.worker = new Worker(NOTIFY_QUEUE, (job) => this.deliver(job), {
      connection: workRedis,
      prefix,
      concurrency: AT_ONCE,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_MS,
      maxStalledCount: NEVER,
      autorun: false,
      settings: { backoffStrategy: (attempt) => delayAfter(attempt) },
    });
    this.worker.on('error', (error) => log.debug(`notify: ${sentenceOf(error)}`));
    this.outbox = new Outbox(redis, prefix);
    this.waysOut = new WaysOut(proxies, { sockets: AT_ONCE, idleMs: LOCK_MS });
  }

  /** Begins to take events over and to send them. */
  start(): void {
    this.worker
      .run()
      .catch((error: unknown) => this.parts.log.warn(`webhooks stopped: ${sentenceOf(error)}`));
    this.timers = [
      setInterval(() => void this.take(), TAKE_MS),
      setInterval(() => void this.look(), LOOK_MS),
    ];
    void this.take();
  }

  /** Ends; what is being sent is sent again by whoever goes on. */
  async stop(): Promise<void> {
    for (const timer of this.timers) clearInterval(timer);
    this.stopping.abort();
    const closed = Promise.all([this.worker.close(), this.queue.close()]);
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, STOP_MS))]);
  }

  private async deliver(job: Job<{ body: string }>): Promise<void> {
    const message: Message = { id: job.id ?? '', body: String(job.data.body) };
    await send(this.parts.receiver, message, this.waysOut, this.stopping.signal);
  }

  /** Hands events to the queue. One that is there already is not added again. */
  private async take(): Promise<void> {
    if (this.taking) return;
    this.taking = true;
    const { gate, log } = this.parts;
    try {
      for (;;) {
        const found = await gate.ask(() => this.outbox.read());
        if (found.length === 0) break;
        const messages = found.flatMap(({ event }) => (event === null ? [] : [messageOf(event)]));
        await gate.ask(() => this.queue.addBulk(messages.map(jobOf)));
        await gate.ask(() => this.outbox.drop(found.map(({ entry }) => entry)));
      }
    } catch (error) {
      log.debug(`events wait: ${sentenceOf(error)}`);
    } finally {
      this.taking = false;
    }
  }

  private async look(): Promise<void> {
    const { gate } = this.parts;
    try {
      const counts = await gate.ask(() => this.queue.getJobCounts('delayed', 'failed'));
      const waiting = counts.delayed ?? 0;
      const [first] = waiting === 0 ? [] : await gate.ask(() => this.queue.getDelayed(0, 0));
      this.state = { waiting, failed: counts.failed ?? 0, why: first?.failedReason ?? null };
    } catch {
      this.state = null;
    }
  }
}

function jobOf({ id, body }: Message) {
  const { type } = JSON.parse(body) as { type: string };
  return {
    name: type,
    data: { body },
    opts: {
      jobId: id,
      attempts: ATTEMPTS,
      backoff: { type: 'custom' },
      removeOnComplete: { age: 7 * DAY_S, count: 1_000 },
      removeOnFail: { age: 30 * DAY_S, count: 10_000 },
    },
  };
}
