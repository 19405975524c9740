import { createHash, randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';

const CHUNK = 1024 * 1024;

/** Bytes that went one way, and how. */
export interface Transfer {
  readonly sha256: string;
  readonly bytes: number;
  /** Milliseconds within file calls; hashing is not counted. */
  readonly ms: number;
}

/** Writes a file of random bytes, to the disk: the time of fsync is counted. */
export async function writeMeasured(path: string, bytes: number): Promise<Transfer> {
  const hash = createHash('sha256');
  const chunk = randomBytes(CHUNK);
  const file = await open(path, 'w');
  let ms = 0;
  try {
    for (let done = 0; done < bytes; done += CHUNK) {
      chunk.writeDoubleLE(done, 0);
      const part = chunk.subarray(0, Math.min(CHUNK, bytes - done));
      hash.update(part);
      ms += await timed(() => file.writeFile(part));
    }
    ms += await timed(() => file.sync());
  } finally {
    await file.close();
  }
  return { sha256: hash.digest('hex'), bytes, ms };
}

/** Reads a file whole. */
export async function readMeasured(path: string): Promise<Transfer> {
  const hash = createHash('sha256');
  const chunk = Buffer.alloc(CHUNK);
  const file = await open(path, 'r');
  let [bytes, ms] = [0, 0];
  try {
    for (;;) {
      let read = 0;
      ms += await timed(async () => {
        read = (await file.read(chunk, 0, CHUNK, null)).bytesRead;
      });
      if (read === 0) break;
      hash.update(chunk.subarray(0, read));
      bytes += read;
    }
  } finally {
    await file.close();
  }
  return { sha256: hash.digest('hex'), bytes, ms };
}

/** Mean time of writing 4 KiB and making it durable, milliseconds. */
export async function fsyncMeasured(path: string, count: number): Promise<number> {
  const file = await open(path, 'w');
  try {
    let ms = 0;
    for (let i = 0; i < count; i++)
      ms += await timed(async () => {
        await file.write(Buffer.alloc(4096, i), 0, 4096, i * 4096);
        await file.sync();
      });
    return ms / count;
  } finally {
    await file.close();
  }
}

/** A transfer as people read it. */
export function rate({ bytes, ms }: Transfer): string {
  return `${(bytes / CHUNK / (Math.max(ms, 0.001) / 1000)).toFixed(0)} MiB/s`;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
