import { makeTrouble, pause, randomOf, TestContext, until, World } from '../test/support/index.js';

/**
 * `npm run test:chaos -- --minutes N [--seed S]`: keeps dropping files of many sizes while it kills, freezes and cuts
 * at random, then compares every blob with its source.
 */
async function main(args: string[]): Promise<void> {
  const option = (name: string, fallback: number) =>
    args.includes(name) ? Number(args[args.indexOf(name) + 1]) : fallback;
  const minutes = option('--minutes', 1);
  const seed = option('--seed', Date.now() % 1_000_000);
  if (!(minutes > 0) || !Number.isInteger(seed))
    throw new Error('usage: npm run test:chaos -- --minutes N [--seed S]');
  console.log(`chaos for ${minutes} min, seed ${seed}`);
  const random = randomOf(seed);
  const t = new TestContext('chaos');
  try {
    const world = await World.make(t, { uploaders: 2, appendonly: true, proxy: true });
    const session = await world.startSession('chaos');
    const wanted = new Map<string, string>();
    const endAt = Date.now() + minutes * 60_000;
    const dropping = (async () => {
      for (let i = 0; Date.now() < endAt; i++) {
        // many small files, some of many blocks, an empty one now and then
        const size = Math.floor(random() ** 6 * 60_000_000) * (i % 17 === 0 ? 0 : 1);
        wanted.set(`${session}/file ${i}`, world.drop(`file ${i}`, size, i + 1));
        await pause(random() * 600);
      }
    })();
    const troubles = await makeTrouble(
      world,
      [
        'kill uploader',
        'freeze uploader',
        'kill scanner',
        'kill redis',
        'cut store',
        'throttle store',
        'stall store',
      ],
      minutes * 60_000,
      random,
    );
    await dropping;
    await world.done(wanted.size, 180_000);
    const blobs = await world.blobs();
    const lost = [...wanted].filter(([name, md5]) => blobs.get(name) !== md5);
    await until('the volume is empty', () => world.filesIn(world.volume).length === 0, 60_000);
    const status = (await world.status()) as { processed_ok: number; processed_err: number };
    console.log(
      `${wanted.size} files, ${[...troubles].map(([trouble, count]) => `${trouble} ${count}x`).join(', ')}`,
    );
    console.log(
      `in the store: ${blobs.size}, lost or damaged: ${lost.length}, processed_ok ${status.processed_ok}, quarantined ${status.processed_err}`,
    );
    if (
      lost.length > 0 ||
      blobs.size !== wanted.size ||
      status.processed_ok !== wanted.size ||
      status.processed_err !== 0
    )
      throw new Error(`with seed ${seed} it did not hold: ${lost.map(([name]) => name).join(', ')}`);
    console.log('1 passed, 0 failed');
  } finally {
    await t.end();
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  console.log('0 passed, 1 failed');
  process.exitCode = 1;
});
