import { join } from 'node:path';
import { Redis } from 'ioredis';
import { chromium, type Page } from 'playwright-core';
import { Pods, type PodReport } from '@app/shared/pods';
import { Incoming, Moves, Sessions } from '@app/shared/records';
import { jobId } from '@app/shared/domain';
import { VERSION } from '@app/shared/runtime';
import { browserPath } from '../test/support/browser.js';
import { App, freePort, TestRedis } from '../test/support/index.js';

const PREFIX = '{sluice}';
const GIB = 1024 ** 3;
const SESSION = { datePrefix: '20260131', encodedSession: 'night%20shift%202', name: 'night shift 2' };

/** Writes docs/page-light.png (wide) and docs/page-dark.png (narrow) from the real page over records made up for it. */
async function main(): Promise<void> {
  const redis = await TestRedis.start();
  const port = await freePort();
  const app = new App('api', port, { APP_REDIS_URL: redis.url });
  const client = new Redis(redis.url, { maxRetriesPerRequest: null });
  const browser = await chromium.launch({
    executablePath: browserPath(),
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
  try {
    await app.ready();
    await seed(client);
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${port}/`);
    await page.getByText('survey-0412.tif').first().waitFor();
    await page.getByText('LeaseIdMissing').first().waitFor();
    await take(page, 'page-light', 1180, 1180, 'light');
    await take(page, 'page-dark', 390, 1000, 'dark');
  } finally {
    await browser.close();
    client.disconnect();
    await app.kill();
    await redis.end();
  }
}

async function take(
  page: Page,
  name: string,
  width: number,
  height: number,
  colorScheme: 'light' | 'dark',
): Promise<void> {
  await page.setViewportSize({ width, height });
  await page.emulateMedia({ colorScheme });
  await page.screenshot({ path: join('docs', `${name}.png`) });
}

async function seed(client: Redis): Promise<void> {
  const [sessions, moves] = [new Sessions(client, PREFIX), new Moves(client, PREFIX)];
  await sessions.start(SESSION);
  const file = (filename: string, size: number) => ({ session: SESSION, filename, size });
  const done = Array.from({ length: 40 }, (_, i) =>
    file(`survey-${String(370 + i).padStart(4, '0')}.tif`, 2 * GIB),
  );
  const flying = [file('survey-0410.tif', 2.4 * GIB), file('survey-0411.tif', 1.9 * GIB)];
  const waiting = [file('survey-0412.tif', 2.1 * GIB), file('survey-0413.tif', 2.2 * GIB)];
  const failed = file('résumé: final.tif', 0.3 * GIB);
  await moves.queued([...done, ...flying, ...waiting, failed], '');
  for (const { filename, size } of done)
    await moves.receipt(SESSION, filename, filename, {
      ...{
        blobUrl: `https://account.blob.core.windows.net/ingest/20260131/night%2520shift%25202/${filename}`,
        size,
      },
      ...{ md5: null, mtimeMs: 1, attempts: 1, pod: 'uploader-1', maxFiles: 1000 },
    });
  for (const [i, one] of flying.entries()) {
    await moves.begin(one, `run-${i}`, false, 'uploader-1');
    await moves.progress(
      SESSION,
      one.filename,
      i === 0 ? 1.7 * GIB : 0,
      i === 0 ? 'uploading' : 'staging',
      (1.7 - i) * GIB,
    );
  }
  const why = 'failed after 5 attempts: 412 LeaseIdMissing from put block';
  await moves.quarantined(failed, { why, attempts: 5, code: 'LeaseIdMissing', count: true });
  await new Incoming(client, PREFIX).publish(
    { seen: 0, settling: 0, held: 0, ignored: 0, oldest_age_s: 0, unexamined: 0 },
    new Map(),
    true,
  );
  // as many jobs as records: the page shows the numbers of both
  const ids = (files: { filename: string }[]) => files.map(({ filename }) => jobId(filename));
  await client.rpush(`${PREFIX}:upload:wait`, ...ids(waiting));
  await client.rpush(`${PREFIX}:upload:active`, ...ids(flying));
  await client.zadd(`${PREFIX}:upload:failed`, 1, jobId(failed.filename));
  const pods = new Pods(client, PREFIX);
  for (const role of ['scanner', 'uploader'] as const) await pods.report(pod(role));
}

function pod(role: 'scanner' | 'uploader'): PodReport {
  const disk = { bytes_total: 8000 * GIB, bytes_free: 5200 * GIB, inodes_total: 1e6, inodes_free: 9e5 };
  return {
    ...{ id: role, role, name: `${role}-1`, version: VERSION, started_at: '' },
    ...{ ready: true, standby: false, volume: null, problems: [], hands: [] },
    disk: { volume: disk, staging: role === 'uploader' ? disk : null },
    rates: role === 'uploader' ? { '20260131/night%20shift%202': 0.31 * GIB } : {},
  };
}

void main();
