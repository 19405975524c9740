import type { Redis } from 'ioredis';
import { bindScript } from '../redis/index.js';

/** How long a lease lasts without renewal; milliseconds. */
export const LEASE_MS = 10_000;

// deleted first: a full Redis refuses a write that may take memory unless one that frees some came before in the script
const TAKE = `
local key = KEYS[1] .. ':scanner-lease'
local holder = redis.call('GET', key)
if holder and holder ~= ARGV[1] then return 0 end
redis.call('DEL', key)
redis.call('SET', key, ARGV[1], 'PX', ARGV[2])
return 1`;
const RELEASE = `
local key = KEYS[1] .. ':scanner-lease'
if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end`;

/** The lease that makes one scanner lead while others stand by. */
export class ScannerLease {
  private readonly takeScript;
  private readonly releaseScript;

  constructor(
    redis: Redis,
    prefix: string,
    /** The pod's id. */
    readonly holder: string,
  ) {
    this.takeScript = bindScript(redis, 'sluiceLeaseTake', prefix, TAKE);
    this.releaseScript = bindScript(redis, 'sluiceLeaseRelease', prefix, RELEASE);
  }

  /** Takes or renews the lease. @returns whether this pod holds it now, for {@link LEASE_MS}. */
  async take(): Promise<boolean> {
    return (await this.takeScript(this.holder, LEASE_MS)) === 1;
  }

  /** Gives the lease up, if it is held; safe to repeat. */
  async release(): Promise<void> {
    await this.releaseScript(this.holder);
  }
}
