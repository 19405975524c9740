import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { STEPS, type StepName } from './run.js';

const STEP_BUCKETS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300, 1800];

/** What an uploader counts and measures. Names and units: https://prometheus.io/docs/practices/naming/ */
export class UploaderMetrics {
  private readonly files;
  private readonly bytes;
  private readonly steps: Readonly<Record<StepName, Histogram.Internal<'step'>>>;
  private readonly retries;
  private readonly outages;

  /** @param now read at each scrape: files in hand, and what is away */
  constructor(
    registry: Registry,
    now: {
      inFlight: () => number;
      bytesInFlight: () => number;
      away: () => { store: boolean; volume: boolean };
    },
  ) {
    const registers = [registry];
    this.files = new Counter({
      name: 'sluice_files_total',
      help: 'Runs that ended, by outcome.',
      labelNames: ['outcome'],
      registers,
    });
    this.bytes = new Counter({
      name: 'sluice_uploaded_bytes_total',
      help: 'Bytes of files that are done.',
      registers,
    });
    const steps = new Histogram({
      name: 'sluice_step_duration_seconds',
      help: 'Duration of a step of the pipeline.',
      labelNames: ['step'],
      buckets: STEP_BUCKETS,
      registers,
    });
    // looked up once: each file has six steps
    this.steps = Object.fromEntries(STEPS.map((step) => [step, steps.labels({ step })])) as typeof this.steps;
    this.retries = new Counter({
      name: 'sluice_retries_total',
      help: 'Attempts that failed and are repeated.',
      registers,
    });
    this.outages = new Counter({
      name: 'sluice_outages_total',
      help: 'Runs that met an outage, by what was away.',
      labelNames: ['of'],
      registers,
    });
    new Gauge({
      name: 'sluice_files_in_flight',
      help: 'Files in hand.',
      registers,
      collect() {
        this.set(now.inFlight());
      },
    });
    new Gauge({
      name: 'sluice_bytes_in_flight',
      help: 'Bytes of files in hand: what is reserved on the staging disk.',
      registers,
      collect() {
        this.set(now.bytesInFlight());
      },
    });
    new Gauge({
      name: 'sluice_outage',
      help: '1 while the store or the volume is away and no file is begun, else 0.',
      labelNames: ['of'],
      registers,
      collect() {
        for (const [of, away] of Object.entries(now.away())) this.set({ of }, away ? 1 : 0);
      },
    });
    for (const outcome of ['done', 'quarantine', 'skipped']) this.files.inc({ outcome }, 0);
    for (const of of ['store', 'volume', 'staging', 'redis', 'replicas', 'source'])
      this.outages.inc({ of }, 0);
  }

  /** Notes the duration of a step, in milliseconds. */
  step(step: StepName, ms: number): void {
    this.steps[step].observe(ms / 1000);
  }

  /** Notes a file that is done. */
  done(bytes: number): void {
    this.files.inc({ outcome: 'done' });
    this.bytes.inc(bytes);
  }

  /** Notes a run that ended otherwise. */
  ended(outcome: 'retry' | 'quarantine' | 'skipped'): void {
    if (outcome === 'retry') this.retries.inc();
    else this.files.inc({ outcome });
  }

  /** Notes an outage. */
  outage(of: string): void {
    this.outages.inc({ of });
  }
}
