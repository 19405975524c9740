import type { Response } from 'express';
import type { Redis } from 'ioredis';
import { messageOf } from '@app/shared/domain';
import { EVENTS_KEPT, FIRST_PLACE, keptCount, keptFrom, newestPlace, readTold } from '@app/shared/records';
import { channelOf } from '@app/shared/redis';
import type { Logger } from '@app/shared/runtime';
import { Listener, readEventId, type Heard } from './listener.js';

/** A sign of life, so that proxies keep the connection; milliseconds. */
const HEARTBEAT_MS = 15_000;
/** Kept messages that are read at once. */
const PAGE = 50;
/** Between two tries while Redis is away; milliseconds. */
const AGAIN_MS = 500;

/** Passes what happens on to all who listen: one subscription in Redis, any number of clients. */
export class EventStream {
  private readonly listeners = new Set<Listener>();
  private timer: NodeJS.Timeout | null = null;
  private stopped = false;
  /** Subscriptions so far: between two of them messages may be missed. */
  private subscriptions = 0;

  /**
   * @param channel a connection for this alone: a subscriber can do nothing else
   * @param redis reads what is kept
   */
  constructor(
    private readonly channel: Redis,
    private readonly redis: Redis,
    private readonly prefix: string,
    private readonly log: Logger,
  ) {}

  /** Begins to listen; the subscription is renewed after each loss of Redis, and what came meanwhile is told. */
  start(): void {
    this.channel.on('message', (_channel, text: string) => {
      if (this.listeners.size === 0) return;
      const message = readTold(text);
      for (const listener of this.listeners) listener.hear(message);
    });
    const subscribe = (): void =>
      void this.channel.subscribe(channelOf(this.channel, this.prefix, 'events')).then(
        () => {
          this.subscriptions += 1;
          for (const listener of this.listeners) if (!listener.isBehind) void this.catchUp(listener);
        },
        (error: unknown) => this.log.debug(`events: ${messageOf(error)}`),
      );
    this.channel.on('ready', subscribe);
    if (this.channel.status === 'ready') subscribe();
    this.timer = setInterval(() => {
      for (const listener of this.listeners) listener.write(': alive\n\n');
    }, HEARTBEAT_MS);
  }

  /**
   * Adds a client until its connection ends.
   *
   * @param lastId the id of the last event that it heard; what came since is told first
   */
  add(response: Response, lastId: string | undefined): void {
    // Express would add a charset, which this type does not have
    response.setHeader('Content-Type', 'text/event-stream');
    response.setHeader('Cache-Control', 'no-cache, no-transform');
    response.setHeader('X-Accel-Buffering', 'no');
    response.flushHeaders();
    response.write(': connected\n\n');
    if (this.stopped) return void response.end();
    const listener = new Listener(response, lastId === undefined ? null : readEventId(lastId));
    this.listeners.add(listener);
    response.on('close', () => this.listeners.delete(listener));
    // an id of another's is as good as one that is not kept any more
    if (lastId !== undefined && listener.heard === null) listener.reset();
    void this.catchUp(listener);
  }

  /** Ends every connection. */
  stop(): void {
    this.stopped = true;
    if (this.timer) clearInterval(this.timer);
    for (const listener of this.listeners) listener.end();
  }

  /** Tells a client what it missed, however long Redis is away meanwhile. */
  private async catchUp(listener: Listener): Promise<void> {
    listener.fallBehind();
    while (listener.isOpen && !this.stopped) {
      const { subscriptions } = this;
      try {
        if (listener.heard === null) listener.startAt(await newestPlace(this.redis, this.prefix));
        else if (await this.tellPage(listener, listener.heard)) continue;
        if (subscriptions === this.subscriptions) return listener.upToDate();
      } catch (error) {
        this.log.debug(`events: ${messageOf(error)}`);
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS).unref());
      }
    }
  }

  /** Tells the next messages after what was heard. @returns whether there may be more */
  private async tellPage(listener: Listener, { place, events }: Heard): Promise<boolean> {
    const kept = await keptFrom(this.redis, this.prefix, place, PAGE);
    const [first] = kept;
    const known =
      place === FIRST_PLACE
        ? events === 0 || (await keptCount(this.redis, this.prefix)) < EVENTS_KEPT
        : first?.place === place;
    if (!known) {
      listener.reset();
      return true;
    }
    for (const message of kept) {
      if (message.place !== place) listener.tell(message);
      else if (events !== null) listener.tell(message, events);
      await listener.drained();
    }
    return kept.length === PAGE;
  }
}
