import { workerData } from 'node:worker_threads';
import { HashMemory } from './hash-memory.js';
import type { HasherSetup } from './hasher.js';
import { LANES, Md5Kernel } from './md5-kernel.js';

/** Steps between two looks at who else has come: 256 KiB of each stream. */
const STEPS_AT_ONCE = 4096;
/**
 * How long streams wait for one whose piece was just taken, so that more lanes are filled: it most often comes back at
 * once. One that does not (a slow disk, its last piece) is not waited for again. Milliseconds.
 */
const GATHER_MS = 2;

const setup = workerData as HasherSetup;
const shared = new HashMemory(setup.memory);
const kernel = new Md5Kernel(setup.module, setup.memory, shared.work);
/** When the last piece of a slot was taken, by slot. */
const left = new Map<number, number>();

/** How long the slots that are not ready are worth waiting for. */
function patience(ready: readonly number[]): number {
  const now = performance.now();
  const away = [...left].filter(([slot]) => !ready.includes(slot)).map(([, at]) => GATHER_MS - (now - at));
  return Math.max(0, ...away);
}

// this thread does nothing else, so it may block; ending a thread ends its wait too
for (;;) {
  const { bell } = shared;
  const slots = shared.ready(LANES);
  if (slots.length === 0) {
    shared.rang(bell);
    continue;
  }
  const ms = slots.length < LANES ? patience(slots) : 0;
  if (ms > 0 && shared.rang(bell, ms)) continue;
  const orders = slots.map((slot) => shared.order(slot));
  const steps = Math.min(STEPS_AT_ONCE, ...orders.map((order) => order.steps));
  kernel.advance(orders, steps, setup.whole);
  for (const slot of slots) if (shared.took(slot, steps)) left.set(slot, performance.now());
}
