import { escaped } from '../../apps/cli/print.js';
import { inUnits } from './show.js';
import { readRunning } from './running.js';
import { containerOf } from './system.js';

/**
 * Prints what the store of the running system holds, a blob a line.
 *
 * @throws Error where no system runs below `root`
 */
export async function listBlobs(root: string): Promise<void> {
  const running = readRunning(root);
  if (!running) throw new Error(`no system runs in ${root}; start one with: npm run local`);
  let [count, bytes] = [0, 0];
  for await (const { name, properties } of containerOf(running.accountUrl).listBlobsFlat()) {
    const size = properties.contentLength ?? 0;
    console.log(`${inUnits(size).padStart(10)}  ${escaped(name)}`);
    count += 1;
    bytes += size;
  }
  console.log(`${count} blob${count === 1 ? '' : 's'}, ${inUnits(bytes)}`);
}
