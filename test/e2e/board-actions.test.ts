import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { jobId } from '@app/shared/domain';
import { openPage, shot } from '../support/browser.js';
import { test, type TestContext, until, World } from '../support/index.js';

const BAD = /poison/;

/** A world whose store refuses some files, and its Bull Board in a browser. */
async function boardOf(t: TestContext, env: Record<string, string>) {
  const world = await World.make(t, { proxy: true, env: { APP_MAX_ATTEMPTS: '2', ...env } });
  const { page, complaints, elsewhere } = await openPage(t, '');
  const board = `http://127.0.0.1:${world.app('api').port}/admin/queues/queue/upload`;
  world.proxy!.rules = [
    {
      match: (request) => request.method === 'PUT' && BAD.test(request.url ?? ''),
      fault: { kind: 'status', status: 400, code: 'InvalidInput' },
    },
  ];
  /** Shows the jobs of a state, and waits for one. */
  const show = async (state: string, filename: string) => {
    await page.goto(`${board}?status=${state}`);
    await page.getByText(filename).first().waitFor();
  };
  const stateOf = async (filename: string) => (await world.api(`/v1/files/${filename}`)).body;
  const inState = (filename: string, state: string) =>
    until(`${filename} is ${state}`, async () => (await stateOf(filename))?.state === state);
  /** The store takes the file, it is retried here, and all of these are in the store and nowhere else. */
  const retried = async (filename: string, md5s: readonly string[]) => {
    world.proxy!.pass();
    await show('failed', filename);
    await press(page, 'Retry');
    await world.done(md5s.length);
    assert.deepEqual([...(await world.blobs()).values()].sort(), md5s.toSorted());
    assert.deepEqual(world.filesIn(world.volume), []);
  };
  return { world, page, complaints, elsewhere, show, inState, retried };
}

/** Presses the button of a job whose tooltip says this (its buttons have no other name), and confirms. */
async function press(page: Page, name: string): Promise<void> {
  await pressAnd(page, name, () => confirm(page));
}

async function pressAnd(page: Page, name: string, then: () => Promise<void>): Promise<void> {
  const tooltip = page.locator('body > [data-base-ui-portal]').getByText(name, { exact: true });
  for (const button of await page.locator('main [data-base-ui-tooltip-trigger] button').all()) {
    await button.hover();
    const found = await until('a tooltip shows', async () =>
      (await page.locator('[data-side="top"]').count()) > 0 ? { it: await tooltip.isVisible() } : null,
    );
    if (!found.it) continue;
    await button.click();
    return then();
  }
  throw new Error(`no job has a button ${name}`);
}

/** Chooses an entry of the queue's menu, and confirms. */
async function choose(page: Page, name: string): Promise<void> {
  await page.locator('main button[aria-haspopup="menu"]').click();
  await page.getByRole('menuitem', { name, exact: true }).click();
  await confirm(page);
}

const confirm = (page: Page) => page.getByRole('button', { name: 'Confirm', exact: true }).click();

test('promote, pause, remove and retry of a job do the right thing with its file', async (t) => {
  const { world, page, complaints, elsewhere, show, inState, retried } = await boardOf(t, {
    APP_RETRY_BACKOFF_S: '300',
  });
  await world.startSession();

  const later = world.drop('poison-later.bin', 1000);
  await inState('poison-later.bin', 'delayed');
  await show('delayed', 'poison-later.bin');
  await shot(page, 'board-delayed');
  await press(page, 'Promote');
  // the second and last attempt: it is quarantined, and stays so when its job is removed
  await inState('poison-later.bin', 'failed');
  await show('failed', 'poison-later.bin');
  const removed = await jobTime(world, 'poison-later.bin');
  await press(page, 'Clean');
  await until('recovery shows the file again', async () => {
    const time = await jobTime(world, 'poison-later.bin');
    return time !== null && time !== removed;
  });
  assert.equal(world.filesIn(world.failed).filter((name) => name.endsWith('.bin')).length, 1);
  await inState('poison-later.bin', 'failed');

  await choose(page, 'Pause');
  await until('status says that the queue is paused', async () =>
    (await world.status()).problems.some((text: string) => text.startsWith('The queue is paused')),
  );
  const waiting = world.drop('waiting.bin', 2000);
  await inState('waiting.bin', 'queued');
  assert.match(
    (await world.api('/v1/files/waiting.bin')).body.why,
    /^queued: .*; the queue is paused \(Bull/,
  );
  assert.equal((await world.status()).queue.waiting, 1);
  await show('waiting', 'waiting.bin');
  await shot(page, 'board-paused');
  const first = await jobTime(world, 'waiting.bin');
  await press(page, 'Clean');
  await until('the scanner enqueues the file again', async () => {
    const time = await jobTime(world, 'waiting.bin');
    return time !== null && time !== first;
  });
  assert.deepEqual(world.filesIn(world.incoming), ['waiting.bin']);

  await choose(page, 'Resume');
  await world.done(1);
  await retried('poison-later.bin', [later, waiting]);
  assert.equal((await world.status()).processed_ok, 2);
  assert.deepEqual(complaints, []);
  assert.deepEqual(elsewhere, []);
});

test('a queue that is obliterated comes back from the folders, and jobs are not made by hand', async (t) => {
  const { world, page, show, inState, retried } = await boardOf(t, { APP_RETRY_BACKOFF_S: '0.2' });
  await world.startSession();
  const poison = world.drop('poison.bin', 1000);
  await inState('poison.bin', 'failed');
  await show('failed', 'poison.bin');
  await choose(page, 'Pause');
  const waiting = world.drop('waiting.bin', 2000);
  await inState('waiting.bin', 'queued');
  await show('waiting', 'waiting.bin');

  await pressAnd(page, 'Duplicate', async () => {
    await page.getByRole('button', { name: 'Duplicate', exact: true }).click();
    await page.getByText(/not made or changed by hand/).waitFor();
  });
  assert.equal((await world.status()).queue.waiting, 1);

  // the pause goes with it
  await choose(page, 'Obliterate');
  await world.done(1);
  await inState('poison.bin', 'failed');
  await retried('poison.bin', [poison, waiting]);
});

test('a job that is half uploaded shows its progress and the log of its steps', async (t) => {
  const { world, page, show } = await boardOf(t, {
    APP_AZURE_MAX_BLOCK_SIZE: '1048576',
    APP_AZURE_MAX_SINGLE_PUT_SIZE: '1048576',
  });
  await world.startSession();
  const proxy = world.proxy!;
  let blocks = 0;
  proxy.rules = [
    {
      match: ({ url }) => /half\.bin\?.*comp=block&/.test(url ?? '') && ++blocks > 5,
      fault: { kind: 'hold' },
    },
  ];
  const md5 = world.drop('half.bin', 10 * 2 ** 20);
  await until('five blocks are in the store', async () => {
    const { body } = await world.api('/v1/files/half.bin');
    return body.progress?.percent === 50;
  });
  await show('active', 'half.bin');
  await page.getByText('50%').first().waitFor();
  await page.getByText('Logs', { exact: true }).first().click();
  await page
    .getByText(/stage took/)
    .first()
    .waitFor();
  await shot(page, 'board-active');
  proxy.release();
  await world.done(1);
  assert.deepEqual([...(await world.blobs()).values()], [md5]);
});

/** When the job of a file was made; null where there is none. */
async function jobTime(world: World, filename: string): Promise<string | null> {
  return world.redis.use((client) => client.hget(`{sluice}:upload:${jobId(filename)}`, 'timestamp'));
}
