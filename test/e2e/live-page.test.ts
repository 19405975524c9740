import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { openPage, shot } from '../support/browser.js';
import { test, type TestContext, until, World } from '../support/index.js';

const MIB = 1024 * 1024;
const TOKEN = 'a-token-of-this-test';
/** What the console says of an answer that is no success; of a busy machine, too. */
const ANSWER = 'Failed to load resource';
const HOSTILE = ['<img src=x onerror=document.title=1>.bin', 'b\u202enib.exe\u0007.bin', '"\'&amp;%20.bin'];

/** A world behind a token, and a page on it. */
async function opened(t: TestContext, env: Record<string, string> = {}) {
  const world = await World.make(t, { proxy: true, env: { APP_API_TOKEN: TOKEN, ...env } });
  const seen = await openPage(t, TOKEN);
  const base = `http://127.0.0.1:${world.app('api').port}`;
  await seen.page.goto(`${base}/`);
  await seen.page.getByText('All is well.').waitFor();
  const ask = async (path: string) =>
    (await (await fetch(`${base}${path}`, { headers: { authorization: `Bearer ${TOKEN}` } })).json()) as any;
  return { world, ask, base, ...seen };
}

/** Fails with what axe-core finds on a page as it stands. */
async function isAccessible(page: Page, what: string): Promise<void> {
  await page.evaluate(readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8'));
  const found = await page.evaluate(async () => (globalThis as any).axe.run());
  const told = found.violations.map(
    ({ id, nodes }: any) => `${id}: ${nodes.map((node: any) => node.html).join(' ')}`,
  );
  assert.deepEqual(told, [], what);
}

test('a person starts a session, watches a file move, reads why another failed, retries it, and stops', async (t) => {
  const { world, page, complaints, elsewhere, ask } = await opened(t, {
    APP_MAX_ATTEMPTS: '1',
    APP_AZURE_MAX_CONCURRENCY: '1',
  });
  const proxy = world.proxy!;
  await isAccessible(page, 'nothing has happened');
  await shot(page, 'live-page-empty');

  await page.getByLabel('Start a session named').fill('Zürich / 2. Nacht');
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await page.locator('#session-name', { hasText: 'Zürich / 2. Nacht' }).waitFor();

  proxy.bytesPerSecond = 2 * MIB;
  const refused = {
    match: ({ url }: { url?: string }) => /poison/.test(url ?? ''),
    fault: { kind: 'status', status: 400, code: 'InvalidInput' },
  } as const;
  proxy.rules = [refused];
  world.drop('large.bin', 64 * MIB);
  world.drop('poison.bin', 1000);
  const flight = page.locator('#flight tbody tr', { hasText: 'large.bin' });
  await flight.getByText(/[1-9][\d.]* MiB of 64\.0 MiB/).waitFor();
  await flight.getByText(/iB\/s/).waitFor();
  const failed = page.locator('#failed details', { hasText: 'InvalidInput: 1 file' });
  await failed.getByText(/failed after 1 attempt: 400 InvalidInput/).waitFor();
  await shot(page, 'live-page-moving');
  await isAccessible(page, 'files move and one failed');

  proxy.bytesPerSecond = 0;
  proxy.rules = [];
  await failed.getByRole('button', { name: 'Retry poison.bin' }).click();
  await page.getByText('Nothing failed.').waitFor();
  await until('both are done', async () => (await ask('/v1/status')).processed_ok === 2);
  await page.locator('#session-files', { hasText: '2 files done' }).waitFor();

  await page.getByLabel('Where is my file?').fill('large.bin');
  await page.getByLabel('Where is my file?').press('Enter');
  const dialog = page.getByRole('dialog');
  await dialog.getByText(/\/large\.bin$/).waitFor();
  await isAccessible(page, 'a file is open');
  await shot(page, 'live-page-file');
  await page.keyboard.press('Escape');
  await page.getByLabel('Where is my file?').fill('poison.bin');
  await page.getByLabel('Where is my file?').press('Enter');
  await dialog.getByText('Log of its attempts').click();
  await dialog.getByText(/quarantined: failed after 1 attempt: 400 InvalidInput[^]*done in /).waitFor();
  await page.keyboard.press('Escape');
  // by the beginning of the name: a list, each of which opens
  world.drop('large too.bin', 10);
  await until('all three are done', async () => (await ask('/v1/status')).processed_ok === 3);
  await page.getByLabel('Where is my file?').fill('large');
  await page.getByLabel('Where is my file?').press('Enter');
  const hits = page.locator('#hits');
  await hits.getByText('Names that begin with large').waitFor();
  assert.deepEqual(await hits.locator('li').allTextContents(), ['large too.bin done', 'large.bin done']);
  await isAccessible(page, 'a list of hits is open');
  await hits.getByRole('button', { name: 'large too.bin' }).click();
  await page.locator('#file dd', { hasText: /\/large%20too\.bin$/ }).waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await page.getByLabel('Where is my file?').fill('nope');
  await page.getByLabel('Where is my file?').press('Enter');
  await page.locator('#link', { hasText: 'no file of this name is known' }).waitFor();

  // what ends a session asks first, by keyboard as well
  await page.getByLabel('Start a session named').fill('next');
  await page.getByLabel('Start a session named').press('Enter');
  await page
    .getByRole('dialog')
    .getByText(/"Zürich \/ 2\. Nacht" is active/)
    .waitFor();
  await page.keyboard.press('Enter');
  assert.equal((await ask('/v1/status')).active_session, 'Zürich / 2. Nacht');
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Stop', exact: true }).click();
  await page
    .getByText(/No session is active/)
    .first()
    .waitFor();
  assert.equal((await ask('/v1/status')).enabled, false);
  const past = page.locator('#sessions tbody tr', { hasText: 'Zürich / 2. Nacht' });
  const manifest = page.waitForEvent('download');
  await past.getByRole('button', { name: /as CSV/ }).click();
  const table = readFileSync(await (await manifest).path(), 'utf8')
    .trim()
    .split('\r\n');
  assert.equal(table.length, 4);
  assert.match(table[0]!, /"name"/);

  assert.deepEqual(elsewhere, []);
  assert.deepEqual(
    complaints.filter((words) => !words.startsWith(ANSWER)),
    [],
  );
});

test('hostile names, 1,000 failed files, narrow and wide, light and dark: shown as they are, and nothing runs', async (t) => {
  const { world, page, complaints, ask, base } = await opened(t, { APP_MAX_ATTEMPTS: '1' });
  await fetch(`${base}/v1/watch/start`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ session_name: 'hostile' }),
  });
  world.proxy!.rules = [
    {
      match: ({ url }) => url!.includes('/hostile/'),
      fault: { kind: 'status', status: 400, code: 'InvalidInput' },
    },
  ];
  for (const name of HOSTILE) world.drop(name, 100);
  for (let i = 0; i < 1000; i++) world.drop(`file ${i}`, 10);
  await until(
    'all failed',
    async () => (await ask('/v1/status')).queue.failed === 1000 + HOSTILE.length,
    300_000,
  );
  await page.locator('#failed summary', { hasText: 'InvalidInput: 1,000 files' }).waitFor();
  await page.getByText('The newest 1,000 are shown.').waitFor();
  await page.getByLabel('Where is my file?').fill(HOSTILE[0]!);
  await page.getByLabel('Where is my file?').press('Enter');
  await page.locator('#file-name', { hasText: HOSTILE[0]! }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByLabel('Where is my file?').fill(HOSTILE[1]!);
  await page.getByLabel('Where is my file?').press('Enter');
  await page.locator('#file-name', { hasText: 'b\\u{202e}nib.exe\\u{7}.bin' }).waitFor();
  await page.keyboard.press('Escape');
  assert.match(await page.title(), /Sluice/);
  for (const [width, scheme] of [
    [360, 'light'],
    [360, 'dark'],
    [1920, 'light'],
    [1920, 'dark'],
  ] as const) {
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme: scheme });
    await shot(page, `live-page-${width}-${scheme}`);
    const wide = await page.evaluate(
      'document.documentElement.scrollWidth > document.documentElement.clientWidth',
    );
    assert.ok(!wide, `nothing is cut off at ${width}`);
  }
  // a thousand rows take axe-core minutes; the first ones are like the others
  await page.evaluate(
    "for (const line of [...document.querySelectorAll('#failed tbody tr')].slice(20)) line.remove()",
  );
  for (const scheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    await isAccessible(page, scheme);
  }
  assert.deepEqual(
    complaints.filter((words) => !words.startsWith(ANSWER)),
    [],
  );
});

test('while the api is away the page says so, and goes on by itself', async (t) => {
  const { world, page } = await opened(t);
  const api = world.app('api');
  await api.kill();
  await page.locator('#link', { hasText: 'The api does not answer' }).waitFor();
  await shot(page, 'live-page-lost');
  await world.start('api', { APP_PORT: String(api.port) });
  await page.getByText('All is well.').waitFor();
});

test('Stop when through takes what stands in the drop folder, and then stops', async (t) => {
  const { world, page, ask } = await opened(t);
  await page.getByLabel('Start a session named').fill('through');
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await page.locator('#session-name', { hasText: 'through' }).waitFor();
  world.drop('last.bin', 100_000);
  await page.getByRole('button', { name: 'Stop when through' }).click();
  await page.getByText('No session is active').first().waitFor();
  await until('it is done', async () => (await ask('/v1/status')).processed_ok === 1);
});

test('each problem leads to its part of the runbook, which this api serves, and a lost live connection is said', async (t) => {
  const { world, page, base, complaints, elsewhere } = await opened(t);
  // the page alone is cut off from the events; the status is asked for all the same
  await page.route('**/v1/events', (route) => route.abort());
  await page.reload();
  await page.getByText('Live updates are away for the moment').waitFor();
  await page.unroute('**/v1/events');
  await page.getByText('Live updates are away for the moment').waitFor({ state: 'hidden' });

  await world.app('scanner').stop();
  const problem = page.locator('#problems li', { hasText: 'No live scanner' });
  await problem.waitFor({ timeout: 60_000 });
  await isAccessible(page, 'there is a problem');
  const [runbook] = await Promise.all([page.waitForEvent('popup'), problem.getByRole('link').click()]);
  await runbook
    .locator('blockquote:target', { hasText: 'No live scanner: new files are not found' })
    .waitFor();
  await isAccessible(runbook, 'the runbook');
  await shot(runbook, 'runbook');
  const anchors = await runbook.evaluate(
    '[...document.querySelectorAll(\'a[href^="#"]\')].filter((link) => !document.getElementById(link.hash.slice(1))).map((link) => link.href)',
  );
  assert.deepEqual(anchors, [], 'no link leads nowhere');
  assert.equal((await fetch(`${base}/runbook`)).status, 401, 'behind the same token');
  assert.deepEqual(elsewhere, []);
  assert.deepEqual(
    complaints.filter((words) => !words.startsWith(ANSWER)),
    [],
  );
});
