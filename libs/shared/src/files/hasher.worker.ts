import { workerData } from 'node:worker_threads';
import { HashMemory } from './hash-memory.js';
import type { HasherSetup } from './hasher.js';
import { LANES, Md5Kernel } from './md5-kernel.js';

/** Steps between two looks at who else has come: 256 KiB of each stream. */
const STEPS_AT_ONCE = 4096;
/** How long streams that are ready wait for others, so that more lanes are filled; milliseconds. */
const GATHER_MS = 2;

const setup = workerData as HasherSetup;
const shared = new HashMemory(setup.memory);
const kernel = new Md5Kernel(setup.module, setup.memory, shared.work);

// this thread does nothing else, so it may block; ending a thread ends its wait too
for (;;) {
  const { bell } = shared;
  const slots = shared.ready(LANES);
  if (slots.length === 0) {
    shared.rang(bell);
    continue;
  }
  if (slots.length < Math.min(LANES, shared.opened) && shared.rang(bell, GATHER_MS)) continue;
  const orders = slots.map((slot) => shared.order(slot));
  const steps = Math.min(STEPS_AT_ONCE, ...orders.map((order) => order.steps));
  kernel.advance(orders, steps, setup.whole);
  for (const slot of slots) shared.took(slot, steps);
}
