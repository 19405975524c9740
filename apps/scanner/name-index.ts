import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '@app/shared/domain';
import type { NameIndexUpkeep } from '@app/shared/records';
import type { Logger } from '@app/shared/runtime';
import { within } from './scan-loop.js';

/** How often the leader compares the index with the records, and another asks whether it leads; milliseconds. */
const UPKEEP_MS = 30_000;
const STANDBY_MS = 1_000;

/** While this scanner leads, finds what earlier releases recorded without the index of file names, and adds it. */
export class NameIndexKeeper {
  private readonly stopping = new AbortController();
  private running: Promise<void> | null = null;

  constructor(
    private readonly upkeep: NameIndexUpkeep,
    private readonly leads: () => boolean,
    private readonly log: Logger,
  ) {}

  /** Begins. */
  start(): void {
    this.running = this.run();
  }

  /** Ends. Never waits long. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await within(500, this.running);
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      const leads = this.leads();
      if (leads) await this.keep().catch((error: unknown) => this.log.debug(`names: ${messageOf(error)}`));
      // another scanner may be of an earlier release
      else this.upkeep.forget();
      await sleep(leads ? UPKEEP_MS : STANDBY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  private async keep(): Promise<void> {
    const { added, removed } = await this.upkeep.pass(this.stopping.signal);
    if (added + removed > 0)
      this.log.info(`index of file names: added ${added} records, removed ${removed} that are gone`);
  }
}
