import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { jobId } from '@app/shared/domain';
import { openPage, shot } from '../support/browser.js';
import { Child, test, until, World } from '../support/index.js';

/** Two have names that a browser's address would take apart. */
const POISON = ['poison-1.bin', 'poison #2?+é.bin', 'poison 100%.bin'];
const TOKEN = 'a-token-of-this-test';

/** The command line, as the person at the keyboard has it. */
async function sluice(
  url: string,
  ...args: string[]
): Promise<{ code: number | null; out: string; err: string }> {
  const cli = resolve(__dirname, '../../apps/cli/main.js');
  const env = { PATH: process.env.PATH ?? '', SLUICE_URL: url, SLUICE_TOKEN: TOKEN };
  const child = new Child(process.execPath, [cli, ...args], env);
  const { code } = await child.ended;
  return { code, out: child.stdout, err: child.stderr };
}

test('three poison files in a stream of good ones stand with their reason in Bull Board, status, files and CLI; Retry all brings them through', async (t) => {
  const world = await World.make(t, {
    proxy: true,
    env: { APP_MAX_ATTEMPTS: '2', APP_API_TOKEN: TOKEN },
  });
  const { page, complaints, elsewhere } = await openPage(t, TOKEN);
  const base = `http://127.0.0.1:${world.app('api').port}`;
  const authorization = `Bearer ${TOKEN}`;
  const ask = async (path: string, method = 'GET') => {
    const answer = await fetch(`${base}${path}`, { method, headers: { authorization } });
    return (await answer.json()) as any;
  };
  world.proxy!.rules = [
    {
      match: (request) => request.method === 'PUT' && /poison/.test(request.url ?? ''),
      fault: { kind: 'status', status: 400, code: 'InvalidInput' },
    },
  ];
  await ask('/v1/watch/start', 'POST');
  for (const name of POISON) world.drop(name, 1000);
  for (let i = 0; i < 6; i++) world.drop(`good-${i}.bin`, 100_000 + i);
  await until('the good pass by and the three are quarantined', async () => {
    const status = await ask('/v1/status');
    return status.processed_ok === 6 && status.queue.failed === 3 && status;
  });
  // the stream goes on while the three stand there
  for (let i = 6; i < 12; i++) world.drop(`good-${i}.bin`, 100_000 + i);
  await until('more good ones pass by', async () => (await ask('/v1/status')).processed_ok === 12);
  const status = await ask('/v1/status');
  assert.equal(status.processed_err, 3);
  assert.match(status.last_error, /poison.*InvalidInput/);
  const failed = (await ask('/v1/files?state=failed')).items;
  assert.deepEqual(failed.map(({ filename }: { filename: string }) => filename).sort(), [...POISON].sort());
  for (const { why } of failed) assert.match(why, /^failed after 2 attempts: .*InvalidInput/);
  const listed = await sluice(base, 'files', '--state', 'failed');
  assert.equal(listed.code, 0, listed.err);
  for (const name of POISON)
    assert.ok(
      listed.out.split('\n').some((line) => line.includes(name) && /failed after 2 attempts/.test(line)),
      listed.out,
    );
  assert.equal(world.filesIn(world.failed).filter((name) => name.endsWith('.bin')).length, 3);

  await page.goto(`${base}/admin/queues/queue/upload?status=failed`);
  await page.getByText(POISON[1]!).first().waitFor();
  await page
    .getByText(/failed after .*InvalidInput/)
    .first()
    .waitFor();
  await shot(page, 'board-failed');
  for (const name of POISON) {
    await page.goto(`${base}/admin/queues/queue/upload?status=failed`);
    await page
      .getByRole('link', { name: jobId(name) })
      .first()
      .click();
    await page.waitForURL(/upload\/f-poison/);
    // by its link, and as one does who opens an address that was sent to him
    for (const again of [false, true]) {
      if (again) await page.reload();
      await page.getByText('Logs', { exact: true }).first().click();
      await page
        .getByText(/quarantined: failed after/)
        .first()
        .waitFor();
      await page.getByText(name).first().waitFor();
    }
  }
  await shot(page, 'board-job');

  world.proxy!.pass();
  await page.goto(`${base}/admin/queues/queue/upload?status=failed`);
  await page.getByText(POISON[1]!).first().waitFor();
  await page.getByRole('button', { name: /retry all/i }).click();
  await until('a question is asked, or all are retried', async () => {
    const confirm = page.getByRole('button', { name: /^(confirm|yes|ok)/i });
    if (await confirm.isVisible()) await confirm.click();
    const { processed_ok, queue } = await ask('/v1/status');
    return processed_ok === 15 && queue.failed === 0;
  });
  await until('the quarantine is empty', () => world.filesIn(world.failed).length === 0);
  assert.equal((await world.blobs()).size, 15);
  const well = await until('the CLI finds no problems', async () => {
    const said = await sluice(base, 'status', '--check');
    return said.code === 0 ? said : null;
  });
  assert.match(well.out, /No problems\./);
  await page.goto(`${base}/admin/queues/queue/upload?status=completed`);
  await page.getByText(POISON[1]!).first().waitFor();
  await shot(page, 'board-completed');
  assert.deepEqual(complaints, []);
  assert.deepEqual(elsewhere, []);
});

test('Swagger shows every operation, with schemas and examples, and can be tried from the page', async (t) => {
  const world = await World.make(t, { start: ['api'], env: { APP_API_TOKEN: TOKEN } });
  const { page, complaints, elsewhere } = await openPage(t, TOKEN);
  const base = `http://127.0.0.1:${world.app('api').port}`;
  await page.goto(`${base}/docs`);
  for (const path of [
    '/v1/watch/start',
    '/v1/watch/stop',
    '/v1/status',
    '/v1/sessions',
    '/v1/files/retry',
    '/v1/events',
    '/healthz',
  ])
    await page.locator(`[data-path="${path}"]`).first().waitFor();
  await shot(page, 'swagger');
  const start = page.locator('.opblock', { has: page.locator('[data-path="/v1/watch/start"]') });
  await start.locator('.opblock-summary-control').click();
  await start.getByRole('button', { name: 'Try it out' }).click();
  await start.locator('textarea').first().fill('{"session_name": "from the page"}');
  await start.getByRole('button', { name: 'Execute' }).click();
  await start.getByText('from%20the%20page').first().scrollIntoViewIfNeeded();
  await shot(page, 'swagger-start');
  assert.deepEqual(complaints, []);
  assert.deepEqual(elsewhere, []);
});
