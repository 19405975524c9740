import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Scanned } from './scan-once.js';

/** What a scanner counts and measures. Names and units: https://prometheus.io/docs/practices/naming/ */
export class ScannerMetrics {
  private readonly duration;
  private readonly examined;
  private readonly enqueued;
  private readonly incoming;
  private readonly oldest;

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
  }

  /** Notes a scan; `ms` is its duration in milliseconds. */
  scanned({ view, examined, enqueued }: Scanned, ms: number): void {
    this.duration.observe(ms / 1000);
    this.examined.inc(examined);
    this.enqueued.inc(enqueued);
    for (const state of ['seen', 'settling', 'held', 'ignored', 'unexamined'] as const)
      this.incoming.set({ state }, view[state]);
    this.oldest.set(view.oldest_age_s);
  }
}
