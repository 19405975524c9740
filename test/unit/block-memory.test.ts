import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Interrupted } from '@app/shared/domain';
import { BlockMemory } from '../../apps/uploader/blob-store/block-memory.js';
import { test } from '../support/index.js';

const MIB = 2 ** 20;
const FOREVER = new AbortController().signal;

/** Bytes of all buffers of this process that somebody still holds. */
async function held(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  // what was freed is counted off in a later turn of the event loop
  for (let i = 0; i < 3; i++) {
    gc();
    await turn();
  }
  return process.memoryUsage().arrayBuffers;
}

test('what is lent never passes the ceiling, and who waits longest is served first', async () => {
  const memory = new BlockMemory(100);
  const [one, two] = [await memory.lend(60, FOREVER), await memory.lend(40, FOREVER)];
  const served: string[] = [];
  const wait = async (name: string, bytes: number) => {
    const lent = await memory.lend(bytes, FOREVER);
    served.push(name);
    return lent;
  };
  const [large, small] = [wait('large', 80), wait('small', 10)];
  two.release();
  two.release();
  await turn();
  assert.deepEqual(served, [], 'a small one does not push in, and a release counts once');
  one.release();
  assert.equal((await large).buffer.length, 80);
  assert.equal((await small).buffer.length, 10);
  assert.deepEqual(served, ['large', 'small']);
});

test('one who stops waiting makes way for those behind; more than the ceiling is refused', async () => {
  const memory = new BlockMemory(100);
  const lent = await memory.lend(50, FOREVER);
  const stop = new AbortController();
  const large = memory.lend(90, stop.signal);
  const small = memory.lend(20, FOREVER);
  stop.abort();
  await assert.rejects(large, Interrupted);
  assert.equal((await small).buffer.length, 20);
  await assert.rejects(memory.lend(10, AbortSignal.abort()), Interrupted);
  await assert.rejects(memory.lend(101, FOREVER), RangeError);
  lent.release();
});

test('buffers of one size are used again; those of another take their place, not their memory besides', async () => {
  const memory = new BlockMemory(64 * MIB);
  const before = await held();
  const fill = async (bytes: number) => {
    const all = await Promise.all(
      Array.from({ length: Math.floor((64 * MIB) / bytes) }, () => memory.lend(bytes, FOREVER)),
    );
    const buffers = new Set(all.map(({ buffer }) => buffer.buffer));
    const most = await held();
    for (const lent of all) lent.release();
    return { buffers, most };
  };
  const [first, second] = [await fill(8 * MIB), await fill(8 * MIB)];
  assert.deepEqual(second.buffers, first.buffers);
  for (const { buffers } of [first, second]) buffers.clear();
  for (const mib of [7, 16, 3, 8]) {
    const { most } = await fill(mib * MIB);
    assert.ok(most - before <= 65 * MIB, `${mib} MiB each: ${(most - before) / MIB} MiB held`);
  }
});
