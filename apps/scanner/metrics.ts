import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Round } from './rounds.js';
import type { Scanned } from './scan-once.js';

/** What entries of the drop folder are counted by. */
const STATES = ['seen', 'settling', 'held', 'ignored', 'unexamined'] as const;

/**
 * What a scanner counts and measures. Names and units: https://prometheus.io/docs/practices/naming/
 *
 * What holds for all scanners together is only the leader's to tell: its gauges go with the lead, or alerts would go by what
 * a former leader saw.
 */
export class ScannerMetrics {
  private readonly duration;
  private readonly examined;
  private readonly enqueued;

  /** @param lastScan what the last scan of this lead saw; null where this scanner does not lead, or has not scanned since */
  constructor(registry: Registry, lastScan: () => Scanned | null) {
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
    new Gauge({
      name: 'sluice_incoming_files',
      help: 'Entries in the drop folder at the last scan, by state.',
      labelNames: ['state'],
      registers,
      collect() {
        this.reset();
        const view = lastScan()?.view;
        if (view) for (const state of STATES) this.set({ state }, view[state]);
      },
    });
    new Gauge({
      name: 'sluice_incoming_oldest_age_seconds',
      help: 'Age of the oldest file that waits in the drop folder and was examined.',
      registers,
      collect() {
        const view = lastScan()?.view;
        if (view) this.set(view.oldest_age_s);
        else this.remove();
      },
    });
    new Gauge({
      name: 'sluice_queue_jobs',
      help: 'Jobs in the queue at the last scan, by state.',
      labelNames: ['state'],
      registers,
      collect() {
        this.reset();
        for (const [state, count] of Object.entries(lastScan()?.jobs ?? {})) this.set({ state }, count);
      },
    });
  }

  /** Notes a round. */
  scanned({ scanned: { examined, enqueued }, ms }: Round): void {
    this.duration.observe(ms / 1000);
    this.examined.inc(examined);
    this.enqueued.inc(enqueued);
  }
}
