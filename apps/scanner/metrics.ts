import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Round } from './rounds.js';

/** What a scanner counts and measures. Names and units: https://prometheus.io/docs/practices/naming/ */
export class ScannerMetrics {
  private readonly duration;
  private readonly examined;
  private readonly enqueued;
  private readonly incoming;
  private readonly oldest;
  private readonly jobs;

  constructor(registry: Registry) {
    const registers = [registry];
    this.duration = new Histogram({
      name: 'sluice_scan_duration_seconds',
      help: 'Duration of a scan.',
      buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60],
      registers,
    });
    this.examined = new Counter({
      name: 'sluice_scan_examined_files_total',
      help: 'Files that scans looked at.',
      registers,
    });
    this.enqueued = new Counter({
      name: 'sluice_scan_enqueued_files_total',
      help: 'Files that scans handed to the queue.',
      registers,
    });
    this.incoming = new Gauge({
      name: 'sluice_incoming_files',
      help: 'Entries in the drop folder at the last scan, by state.',
      labelNames: ['state'],
      registers,
    });
    this.oldest = new Gauge({
      name: 'sluice_incoming_oldest_age_seconds',
      help: 'Age of the oldest file that waits in the drop folder and was examined.',
      registers,
    });
    this.jobs = new Gauge({
      name: 'sluice_queue_jobs',
      help: 'Jobs in the queue at the last scan, by state.',
      labelNames: ['state'],
      registers,
    });
  }

  /** Notes a round. */
  scanned({ scanned: { view, examined, enqueued, jobs }, ms }: Round): void {
    this.duration.observe(ms / 1000);
    this.examined.inc(examined);
    this.enqueued.inc(enqueued);
    for (const state of ['seen', 'settling', 'held', 'ignored', 'unexamined'] as const)
      this.incoming.set({ state }, view[state]);
    this.oldest.set(view.oldest_age_s);
    for (const [state, count] of Object.entries(jobs)) this.jobs.set({ state }, count);
  }
}
