import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/**
 * Those of Node's metrics whose names only a counter may have, by Prometheus' conventions (`promtool check metrics`): they
 * are gauges, and the sums of others that stay.
 */
const MISNAMED = ['handles', 'requests', 'resources'].map((what) => `nodejs_active_${what}_total`);

/** The registry of one process, with Node's own metrics in it. */
export function createRegistry(role: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ role });
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  return registry;
}

/** Room on a disk, as a pod last saw it. */
interface DiskRoom {
  readonly bytes_total: number;
  readonly bytes_free: number;
  /** 0 where the file system has no fixed number. */
  readonly inodes_total: number;
  readonly inodes_free: number;
}

/** What {@link FileMetrics} reads at each scrape; all of it answers at once. */
export interface FileSources {
  /** For how long a file operation has hung, milliseconds; 0 where none does. */
  readonly hungMs: () => number;
  /** Disks by name, `volume` or `staging`; null where a disk is not known. */
  readonly disks: Readonly<Record<string, () => DiskRoom | null>>;
}

/** File operations and disks of a process. Names and units: https://prometheus.io/docs/practices/naming/ */
export class FileMetrics {
  private readonly duration;
  private readonly errors;

  constructor(registry: Registry, sources: FileSources) {
    const registers = [registry];
    this.duration = new Histogram({
      name: 'sluice_file_operation_duration_seconds',
      help: 'Duration of a file operation, its wait for a thread included.',
      labelNames: ['disk', 'operation'],
      buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 30, 300],
      registers,
    });
    this.errors = new Counter({
      name: 'sluice_file_operation_errors_total',
      help: 'File operations that failed, by the error of the system.',
      labelNames: ['disk', 'operation', 'code'],
      registers,
    });
    new Gauge({
      name: 'sluice_file_operation_hung_seconds',
      help: 'For how long the file operation that hangs longest has hung; 0 if none does.',
      registers,
      collect() {
        this.set(sources.hungMs() / 1000);
      },
    });
    const rooms: [name: string, help: string, field: keyof DiskRoom][] = [
      ['sluice_disk_size_bytes', 'Size of a disk.', 'bytes_total'],
      ['sluice_disk_free_bytes', 'Room on a disk.', 'bytes_free'],
      ['sluice_disk_inodes', 'Inodes of a disk; 0 where it has no fixed number.', 'inodes_total'],
      ['sluice_disk_free_inodes', 'Inodes of a disk that are free.', 'inodes_free'],
    ];
    for (const [name, help, field] of rooms)
      new Gauge({
        name,
        help,
        labelNames: ['disk'],
        registers,
        collect() {
          this.reset();
          for (const [disk, read] of Object.entries(sources.disks)) {
            const room = read();
            if (room !== null) this.set({ disk }, room[field]);
          }
        },
      });
  }

  /** Notes a file operation; `ms` is its duration in milliseconds, `error` the system's code or null. */
  called(
    disk: string,
    call: { readonly operation: string; readonly ms: number; readonly error: string | null },
  ): void {
    const { operation, ms, error } = call;
    this.duration.observe({ disk, operation }, ms / 1000);
    if (error !== null) this.errors.inc({ disk, operation, code: error });
  }
}
