import { pause } from './until.js';
import type { World } from './world.js';

/** Numbers in [0, 1) that a seed determines. */
export function randomOf(seed: number): () => number {
  let x = seed >>> 0 || 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 2 ** 32;
  };
}

/** One thing that can go wrong, and is mended again. */
export type Trouble =
  | 'kill uploader'
  | 'freeze uploader'
  | 'kill scanner'
  | 'kill redis'
  | 'cut store'
  | 'throttle store'
  | 'stall store';

/** Makes trouble at random until the time is up, then mends everything. @returns how often each trouble came */
export async function makeTrouble(
  world: World,
  troubles: readonly Trouble[],
  forMs: number,
  random: () => number,
): Promise<Map<Trouble, number>> {
  const end = Date.now() + forMs;
  const count = new Map<Trouble, number>();
  while (Date.now() < end) {
    await pause(500 + random() * 2500);
    const trouble = troubles[Math.floor(random() * troubles.length)] ?? 'kill uploader';
    count.set(trouble, (count.get(trouble) ?? 0) + 1);
    await make(world, trouble, random);
  }
  world.proxy?.pass();
  for (const app of world.apps) app.thaw();
  return count;
}

async function make(world: World, trouble: Trouble, random: () => number): Promise<void> {
  const uploaders = world.running('uploader');
  const victim = uploaders[Math.floor(random() * uploaders.length)];
  switch (trouble) {
    case 'kill uploader':
      await victim?.kill();
      // on the same disk: what the dead one left there is the new one's to remove
      await world.start('uploader', { APP_LOCAL_STAGING_ROOT: victim?.env.APP_LOCAL_STAGING_ROOT ?? '' });
      return;
    case 'freeze uploader':
      victim?.freeze();
      setTimeout(() => victim?.thaw(), 3_000 + random() * 20_000);
      return;
    case 'kill scanner':
      await world.app('scanner').kill();
      await world.start('scanner');
      return;
    case 'kill redis':
      await world.redis.kill();
      await pause(random() * 2_000);
      return world.redis.start();
    case 'cut store':
      return forAWhile(world, () => world.proxy?.always({ kind: 'reset' }), random);
    case 'throttle store':
      return forAWhile(
        world,
        () => world.proxy?.always({ kind: 'status', status: 503, code: 'ServerBusy' }),
        random,
      );
    case 'stall store':
      return forAWhile(world, () => world.proxy?.always({ kind: 'stall' }), random);
  }
}

async function forAWhile(world: World, begin: () => void, random: () => number): Promise<void> {
  begin();
  await pause(1_000 + random() * 4_000);
  world.proxy?.pass();
}
