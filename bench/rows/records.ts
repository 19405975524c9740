import { Redis } from 'ioredis';
import { openUploadQueue, uploadJob, type UploadQueue } from '@app/shared/queue';
import { Moves, type QueuedFile } from '@app/shared/records';
import { readRedisMemory } from '@app/shared/redis';
import { TestRedis } from '../../test/support/index.js';
import type { Run, Subcommand } from '../subcommand.js';

const PREFIX = '{sluice}';
const BATCH = 500;
/** Bytes of a name. */
const NAME = 42;

/**
 * What a file costs Redis while it waits, with its job; once it is done, and while it is quarantined, without (of completed
 * jobs the last 500 stay, whatever the history limit): all keys and indexes, as the difference of `used_memory`, without the stream of
 * events, which keeps the last 10,000 messages and no more.
 */
export const records: Subcommand = async ({ rounds, small }: Run) => {
  const files = small ? 2_000 : 20_000;
  const costs: { waiting: number; done: number; quarantined: number }[] = [];
  for (let round = 0; round < rounds; round++)
    costs.push({
      waiting: await costOf(files, null),
      done: await costOf(files, finish),
      quarantined: await costOf(files, setAside),
    });
  const most = (of: 'waiting' | 'done' | 'quarantined') => Math.max(...costs.map((cost) => cost[of]));
  const work = `${files} records of a name of ${NAME} bytes`;
  return {
    tables: [],
    goals: [{ work, measure: 'a done one', value: most('done'), unit: 'bytes', sense: 'at most', goal: 700 }],
    notes: [
      `${work}: Redis needs ${Math.round(most('done'))} bytes for each that is done, ${Math.round(most('quarantined'))} for each that is quarantined, without its job, and ${Math.round(most('waiting'))} for each that waits, with its job`,
    ],
  };
};

async function costOf(
  files: number,
  end: ((moves: Moves, file: QueuedFile, i: number) => Promise<unknown>) | null,
): Promise<number> {
  const server = await TestRedis.start();
  const redis = new Redis(server.url, { maxRetriesPerRequest: null });
  const moves = new Moves(redis, PREFIX);
  const uploads = openUploadQueue(redis, PREFIX, () => undefined);
  const session = { datePrefix: '20260101', encodedSession: 'a%20session' };
  try {
    // scripts and tables are there before the first look
    await add(0, 1);
    const before = await readRedisMemory(redis);
    for (let at = 1; at <= files; at += BATCH) await add(at, BATCH);
    const after = await readRedisMemory(redis);
    // bounded, whatever is kept besides
    const events = Number(await redis.call('MEMORY', 'USAGE', `${PREFIX}:events-kept`, 'SAMPLES', '0'));
    return (after.used - before.used - events) / files;
  } finally {
    await uploads.close();
    redis.disconnect();
    await server.end();
  }

  async function add(from: number, count: number): Promise<void> {
    const batch = Array.from({ length: count }, (_, i) => ({
      session,
      filename: `recording-${String(from + i).padStart(NAME - 14, '0')}.mxf`,
      size: 4096,
    }));
    await moves.queued(batch, '');
    if (end === null) return addJobs(uploads, batch);
    await Promise.all(batch.map((file) => moves.begin(file, `run-${file.filename}`, false, 'uploader-7d9f')));
    await Promise.all(batch.map((file, i) => end(moves, file, from + i)));
    await moves.endReceipts(
      batch.map(({ filename }, i) => ({ blob: `20260101/a%20session/${filename}`, claim: `${from + i}` })),
    );
  }
}

async function addJobs(uploads: UploadQueue, files: readonly QueuedFile[]): Promise<void> {
  const jobs = files.map(({ session, filename, size }) =>
    uploadJob({
      ...{ date_prefix: session.datePrefix, encoded_session: session.encodedSession, filename, size },
      ...{ mtime_ns: '1764259200000000000', ino: '1234567' },
    }),
  );
  await uploads.addBulk(jobs);
}

async function finish(moves: Moves, { session, filename, size }: QueuedFile, i: number): Promise<void> {
  await moves.receipt(session, filename, String(i), {
    blobUrl: `https://account.blob.core.windows.net/ingest/20260101/a%2520session/${filename}`,
    size,
    md5: 'd41d8cd98f00b204e9800998ecf8427e',
    mtimeMs: Date.now(),
    attempts: 1,
    pod: 'sluice-uploader-7d9f8b6c5-x2x4p',
    maxFiles: 1_000_000,
    etag: '"0x8DD5A1B2C3D4E5F"',
  });
}

async function setAside(moves: Moves, file: QueuedFile): Promise<void> {
  const why =
    'failed after 5 attempts: AuthorizationPermissionMismatch: This request is not authorized (403)';
  await moves.quarantined(file, { why, attempts: 5, code: 'AuthorizationPermissionMismatch', count: true });
}
