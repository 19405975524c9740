import assert from 'node:assert/strict';
import { Redis } from 'ioredis';
import { jobId } from '@app/shared/domain';
import { openUploadQueue, uploadJob } from '@app/shared/queue';
import { openPage, shot } from '../support/browser.js';
import { test, World } from '../support/index.js';

test('where no other host answers, every page is shown whole, and none was asked for', async (t) => {
  const world = await World.make(t, { start: ['api'] });
  const base = `http://127.0.0.1:${world.app('api').port}`;
  const client = new Redis(world.redis.url, { maxRetriesPerRequest: null });
  t.after(() => client.disconnect());
  const queue = openUploadQueue(client, '{sluice}', () => undefined);
  const { name, data, opts } = uploadJob({
    ...{ date_prefix: '20260131', encoded_session: 'my%20session', filename: 'a.bin' },
  });
  await queue.add(name, data, opts);
  await queue.close();
  const { page, complaints, elsewhere } = await openPage(t, '');

  await page.goto(`${base}/`);
  await page.getByText('Nothing waits.').or(page.getByText('Nobody looks')).first().waitFor();
  await page.goto(`${base}/admin/queues`);
  await page.getByText('upload').first().waitFor();
  await shot(page, 'board-alone');
  await page.goto(`${base}/admin/queues/queue/upload?status=waiting`);
  await page
    .getByRole('link', { name: jobId('a.bin') })
    .first()
    .click();
  await page.getByText('Logs', { exact: true }).first().click();
  const buttons = page.locator('header button');
  for (let i = 0; i < (await buttons.count()); i++) {
    await buttons.nth(i).click();
    // what one of them opens would lie over the next
    await page.reload();
    await buttons.first().waitFor();
  }
  await shot(page, 'board-alone-job');
  await page.goto(`${base}/docs`);
  await page.locator('[data-path="/v1/status"]').first().click();
  await page.getByRole('button', { name: 'Try it out' }).click();
  await page.getByRole('button', { name: 'Execute' }).click();
  await page.getByText('processed_ok').first().waitFor();
  await shot(page, 'docs-alone');

  assert.deepEqual(elsewhere, []);
  assert.deepEqual(complaints, []);
  for (const path of ['/', '/admin/queues', '/admin/queues/queue/upload', '/docs', '/nothing']) {
    const { headers, text } = await world.api(path);
    const policy = headers.get('content-security-policy') ?? '';
    assert.doesNotMatch(policy, /https?:/, `${path}: no other host is allowed`);
    assert.doesNotMatch(text, /<(?:link|script|img|iframe)\b[^>]*(?:href|src)=["']?(?:https?:)?\/\//i, path);
  }
});
