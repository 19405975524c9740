import type { Response } from 'express';
import type { Redis } from 'ioredis';
import { messageOf } from '@app/shared/domain';
import { readEvents } from '@app/shared/records';
import { channelOf } from '@app/shared/redis';
import type { Logger } from '@app/shared/runtime';

/** A sign of life, so that proxies keep the connection; milliseconds. */
const HEARTBEAT_MS = 15_000;
/** A client that is so far behind is let go; bytes. */
const BEHIND_MAX = 1024 * 1024;

/** Passes what happens on to all who listen: one subscription in Redis, any number of clients. */
export class EventStream {
  private readonly clients = new Set<Response>();
  private timer: NodeJS.Timeout | null = null;
  private stopped = false;

  /** @param redis a connection for this alone: a subscriber can do nothing else */
  constructor(
    private readonly redis: Redis,
    private readonly prefix: string,
    private readonly log: Logger,
  ) {}

  /** Begins to listen; the subscription is renewed after each loss of Redis. */
  start(): void {
    this.redis.on('message', (_channel, text: string) => this.send(text));
    this.redis
      .subscribe(channelOf(this.redis, this.prefix, 'events'))
      .catch((error: unknown) => this.log.debug(`events: ${messageOf(error)}`));
    this.timer = setInterval(() => this.write(': alive\n\n'), HEARTBEAT_MS);
  }

  /** Adds a client until its connection ends. */
  add(response: Response): void {
    // Express would add a charset, which this type does not have
    response.setHeader('Content-Type', 'text/event-stream');
    response.setHeader('Cache-Control', 'no-cache, no-transform');
    response.setHeader('X-Accel-Buffering', 'no');
    response.flushHeaders();
    response.write(': connected\n\n');
    if (this.stopped) return void response.end();
    this.clients.add(response);
    response.on('close', () => this.clients.delete(response));
  }

  /** Ends every connection. */
  stop(): void {
    this.stopped = true;
    if (this.timer) clearInterval(this.timer);
    for (const client of this.clients) client.end();
  }

  private send(text: string): void {
    if (this.clients.size === 0) return;
    // written anew: a line break of another's text would end the line of the stream
    for (const event of readEvents(text))
      this.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  }

  private write(text: string): void {
    for (const client of this.clients) {
      if (client.writableLength > BEHIND_MAX) client.destroy();
      else client.write(text);
    }
  }
}
