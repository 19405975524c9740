import assert from 'node:assert/strict';
import { Redis } from 'ioredis';
import { messageOf } from '@app/shared/domain';
import { seen, test, TestAzurite, type TestContext, TestRedis } from '../support/index.js';
import { RequestRig, type Passed, type RequestFault, type Services } from './lab/requests.js';

/** Systems at once: some faults are over only when a lock of 15 s has run out. */
const AT_ONCE = 4;

/** How often a fault is tried whose request did not come: some are made by the clock, such as a look by recovery. */
const TRIES = 4;

/** Sends a file its way while requests are dropped, for each of its faults. */
interface Trial {
  readonly faults: readonly (RequestFault | null)[];
  readonly run: (rig: RequestRig, faults: readonly (RequestFault | null)[]) => Promise<readonly Passed[]>;
}

test(
  'every request to the store and to Redis may be lost, before or after it was handled, and nothing else is',
  { timeout: 1_200_000 },
  async (t) => {
    const services = await begin(t);
    const rigs = new Set<RequestRig>();
    t.after(() => Promise.all([...rigs].map((rig) => rig.end())));
    let made = 0;
    const makeRig = (): Promise<RequestRig> => {
      const rig = new RequestRig(services, `requests${made++}`);
      rigs.add(rig);
      return rig.start();
    };

    const first = await makeRig();
    const [small, large] = [await first.move('small', null), await first.move('large', null)];
    const [quarantine, retry] = await first.refuse(null, null);
    const ways = { small, large, quarantine, retry };
    for (const [way, { requests }] of Object.entries(ways))
      t.diagnostic(`${way}: ${[...requests].map(([kind, count]) => `${kind} ${count}`).join(', ')}`);
    const trials = [...moves('small', small), ...moves('large', large), ...refusals(quarantine, retry)];

    const failures: string[] = [];
    let [tried, met] = [0, 0];
    const work = async (own: RequestRig | null): Promise<void> => {
      let rig = own ?? (await makeRig());
      for (let trial = trials.shift(); trial; trial = trials.shift()) {
        try {
          const missed = await unmet(trial, rig);
          const count = trial.faults.filter(Boolean).length;
          tried += count;
          met += count - missed;
        } catch (error) {
          failures.push(`${JSON.stringify(trial.faults)}: ${messageOf(error)}`);
          // what is left of that file is in the way of the next one
          await rig.end();
          rigs.delete(rig);
          rig = await makeRig();
        }
      }
      // what the last fault would add too late shows now
      await rig
        .move('small', null)
        .catch((error: unknown) => failures.push(`at the end: ${messageOf(error)}`));
    };
    await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => work(i === 0 ? first : null)));
    t.diagnostic(`${tried} faults tried, ${met} of them met a request`);
    assert.deepEqual(failures, []);
    assert.ok(met > 0.9 * tried, `only ${met} of ${tried} faults met a request`);
    seen(t, {
      fault: 'every request to the store and to Redis is lost',
      injected: `${met} faults by proxies, before and after each request for a small file, one of four blocks, a quarantine, a retry`,
      promised: 'every byte in the store, each file counted once, nothing left, nothing else quarantined',
      files: tried,
    });
  },
);

/** Tries until each fault has met its request. @returns how many have not */
async function unmet({ faults, run }: Trial, rig: RequestRig): Promise<number> {
  let left = faults;
  for (let i = 0; i < TRIES && left.some(Boolean); i++) {
    const passed = await run(rig, left);
    left = left.map((fault, at) => (passed[at]?.met ? null : fault));
  }
  return left.filter(Boolean).length;
}

async function begin(t: TestContext): Promise<Services> {
  const [server, azurite] = await Promise.all([TestRedis.start(), TestAzurite.start()]);
  const redis = new Redis(server.url, { maxRetriesPerRequest: null });
  redis.on('error', () => undefined);
  t.after(async () => {
    redis.disconnect();
    await Promise.all([server.end(), azurite.end()]);
  });
  return { redis, redisPort: server.port, azurite };
}

/** A fault before and one after each request. */
function faultsOf({ requests }: Passed): RequestFault[] {
  return [...requests].flatMap(([kind, count]) =>
    Array.from({ length: count }, (_, i) =>
      (['before', 'after'] as const).map((when) => ({ kind, at: i + 1, when })),
    ).flat(),
  );
}

function moves(size: 'small' | 'large', way: Passed): Trial[] {
  return faultsOf(way).map((fault) => ({
    faults: [fault],
    run: async (rig, [left = null]) => [await rig.move(size, left)],
  }));
}

/** A file must be quarantined before it is retried: one fault of each goes with a file. */
function refusals(quarantine: Passed, retry: Passed): Trial[] {
  const [first, second] = [faultsOf(quarantine), faultsOf(retry)];
  return Array.from({ length: Math.max(first.length, second.length) }, (_, i) => ({
    faults: [first[i] ?? null, second[i] ?? null],
    run: (rig, [one = null, other = null]) => rig.refuse(one, other),
  }));
}
