import type { NextFunction, Request, Response } from 'express';
import { Gauge, Histogram, type Registry } from 'prom-client';

/** Counts requests and measures them, by route and status. */
export function measureRequests(registry: Registry) {
  const duration = new Histogram({
    name: 'sluice_http_request_duration_seconds',
    help: 'Duration of requests to the api.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5],
    registers: [registry],
  });
  return (request: Request, response: Response, next: NextFunction): void => {
    const end = duration.startTimer();
    response.on('finish', () => {
      // a stream lasts as long as somebody listens, which says nothing
      if (response.getHeader('Content-Type') === 'text/event-stream') return;
      // the path itself holds names; only the route is a label
      const { path } = (request.route ?? {}) as { path?: string };
      end({ method: request.method, route: path ?? 'other', status: response.statusCode });
    });
    next();
  };
}

/** Shows the queue's depth at each scrape; nothing while Redis is away. */
export function measureQueue(registry: Registry, counts: () => Promise<Record<string, number>>): void {
  new Gauge({
    name: 'sluice_queue_jobs',
    help: 'Jobs in the queue, by state.',
    labelNames: ['state'],
    registers: [registry],
    async collect() {
      try {
        for (const [state, count] of Object.entries(await counts())) this.set({ state }, count);
      } catch {
        this.reset();
      }
    },
  });
}
