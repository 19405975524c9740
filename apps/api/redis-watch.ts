import type { Redis } from 'ioredis';
import { bullmqFault } from '@app/shared/queue';
import { formatFault } from '@app/shared/records';
import { evictionFault, memoryProblem, readRedisMemory } from '@app/shared/redis';
import { StartupError } from '@app/shared/runtime';
import type { RedisGate } from './redis-gate.js';

/** How often Redis is looked at; milliseconds. */
const LOOK_MS = 10_000;
/** A wrong eviction policy at the first look, this early, ends the start; later it makes a running api unready. Milliseconds. */
const START_MS = 15_000;

/** Looks at Redis' memory and eviction policy in the background. */
export class RedisWatch {
  /** Why this Redis must not be used; null where it may be. */
  fault: string | null = null;
  /** The sentence for a Redis that is nearly full; null where it is not. */
  trouble: string | null = null;
  private readonly began = performance.now();
  private format: string | null = null;
  private looked = false;
  private timer: NodeJS.Timeout | null = null;
  private readonly look = (): void => void this.check();

  constructor(
    private readonly redis: Redis,
    private readonly prefix: string,
    private readonly gate: RedisGate,
    private readonly fail: (error: unknown) => void,
  ) {}

  /** Begins to look: at once, whenever Redis comes back, and from time to time. */
  start(): void {
    this.redis.on('ready', this.look);
    if (this.redis.status === 'ready') this.look();
    this.timer = setInterval(this.look, LOOK_MS);
  }

  /** Ends looking. */
  stop(): void {
    this.redis.off('ready', this.look);
    if (this.timer) clearInterval(this.timer);
  }

  private async check(): Promise<void> {
    try {
      const memory = await this.gate.ask(() => readRedisMemory(this.redis));
      this.trouble = memoryProblem(memory);
      // at its start alone: a newer release that comes later must not end the rollout it came with
      if (!this.looked) this.format = await this.gate.ask(() => formatFault(this.redis, this.prefix));
      this.fault = bullmqFault() ?? evictionFault(memory) ?? this.format;
    } catch {
      // away: the gate says so
      return;
    }
    const starting = !this.looked && performance.now() - this.began < START_MS;
    this.looked = true;
    if (this.fault !== null && starting) this.fail(new StartupError(this.fault));
  }
}
