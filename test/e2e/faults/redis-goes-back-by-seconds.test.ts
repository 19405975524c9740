import assert from 'node:assert/strict';
import { seen, test, until, World } from '../../support/index.js';

/** What the api says of a Redis that went back. */
const GONE_BACK = /Redis went back in time at \S+ or before: records since (\S+) may be missing/;
/** Files that are on their way when it goes back. */
const UNDER_WAY = ['x', 'y', 'z'];

async function save(world: World): Promise<void> {
  await world.redis.use((client) => client.save());
}

/** Redis dies, and a copy of what it once held takes its place. */
async function goBack(world: World): Promise<void> {
  await world.redis.kill();
  await world.redis.start();
}

async function goneBack(world: World): Promise<string> {
  return until('it is said that Redis went back', async () => {
    const { problems } = await world.status();
    const sentence = problems.find((problem: string) => GONE_BACK.test(problem));
    if (sentence) return sentence as string;
    throw new Error(problems.join('; '));
  });
}

/** One file after the other, each once the one before is stored, for so long; a producer that never rests. */
async function keepDropping(
  world: World,
  wanted: Map<string, string>,
  session: string,
  ms: number,
): Promise<string[]> {
  const [names, end] = [[] as string[], Date.now() + ms];
  do {
    const name = `file ${wanted.size}.bin`;
    wanted.set(`${session}/${name}`, world.drop(name, 1000 + wanted.size, wanted.size));
    names.push(name);
    await until(`${name} is stored`, async () => (await world.blobs()).size >= wanted.size);
  } while (Date.now() < end);
  return names;
}

for (const seconds of [1, 5, 30])
  test(`Redis goes back by ${seconds} s in mid-run: nothing is lost or counted twice, and only what came since may be unknown`, async (t) => {
    const world = await World.make(t);
    const session = await world.startSession('moving');
    const wanted = new Map<string, string>();
    const before = await keepDropping(world, wanted, session, 0);
    await world.done(before.length);
    const savedFrom = Date.now();
    await save(world);
    const savedBy = Date.now();
    await keepDropping(world, wanted, session, 1000 * seconds);
    // these are under way when it happens
    for (const name of UNDER_WAY) wanted.set(`${session}/${name}`, world.drop(name, 100_000));
    await goBack(world);
    const since = Date.parse(GONE_BACK.exec(await goneBack(world))?.[1] ?? '');
    assert.ok(since <= savedBy && since > savedFrom - 60_000, `${since} of ${savedFrom} to ${savedBy}`);
    const after = await keepDropping(world, wanted, session, 0);
    await until('all are stored', async () => (await world.blobs()).size === wanted.size);
    assert.deepEqual(await world.blobs(), new Map([...wanted].sort()));
    await until('nothing is left', () => world.filesIn(world.volume).length === 0);
    const listed = async (): Promise<string[]> =>
      (await world.api('/v1/files?state=done&limit=1000')).body.items.map(
        ({ filename }: { filename: string }) => filename,
      );
    await until('what came before and after is known', async () => {
      const known = await listed();
      return [...before, ...after].every((name) => known.includes(name));
    });
    const known = await listed();
    assert.equal(new Set(known).size, known.length, 'none is there twice');
    const { processed_ok, processed_err, queue } = await world.status();
    assert.deepEqual({ processed_err, failed: queue.failed }, { processed_err: 0, failed: 0 });
    // a source that still stood when its receipt was lost may be counted again
    assert.ok(processed_ok <= wanted.size + UNDER_WAY.length, `${processed_ok} counted of ${wanted.size}`);
    seen(t, {
      fault: `Redis goes back by ${seconds} s in mid-run`,
      injected:
        'SAVE, a file after the other meanwhile, SIGKILL with three under way, a start with what was saved',
      promised:
        'every byte in the store, nothing left or counted twice, said since when records may be missing',
      files: wanted.size,
      kills: 1,
    });
  });
