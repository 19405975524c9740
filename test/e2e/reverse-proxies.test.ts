import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openPage, shot } from '../support/browser.js';
import { Child, freePort, test, type TestContext, until, World } from '../support/index.js';

const DOCUMENTED = /```nginx\n([\s\S]*?)```/.exec(readFileSync('docs/deploy.md', 'utf8'))?.[1] ?? '';

/** An nginx of this test alone, with these servers. */
async function nginx(t: TestContext, servers: string, port: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-nginx-'));
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join(' ');
  mkdirSync(join(folder, 'logs'));
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; pid ${folder}/pid; error_log stderr; events {} http { access_log off; ${temporary} ${servers} }`,
  );
  const child = new Child('nginx', ['-p', folder, '-e', 'stderr', '-c', join(folder, 'nginx.conf')], {
    PATH: `${process.env.PATH ?? ''}:/usr/sbin`,
  });
  t.after(async () => {
    await child.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  await until('nginx answers', async () => (await fetch(`http://127.0.0.1:${port}/healthz`)).ok);
}

test('behind nginx as it is by default, and as docs/deploy.md says, a browser writes; from another site it does not', async (t) => {
  const world = await World.make(t, { start: ['api'] });
  const api = world.app('api').port;
  const [bare, documented] = [await freePort(), await freePort()];
  const asDocumented = DOCUMENTED.replace('127.0.0.1:8080', `127.0.0.1:${documented}`).replace(
    '127.0.0.1:8000',
    `127.0.0.1:${api}`,
  );
  assert.match(asDocumented, new RegExp(`${documented}[^]*${api}`));
  await nginx(
    t,
    `server { listen 127.0.0.1:${bare}; location / { proxy_pass http://127.0.0.1:${api}; } } ${asDocumented}`,
    bare,
  );
  const { page, complaints } = await openPage(t, '');
  const paused = async () => (await world.status()).problems.some((text: string) => /paused/.test(text));

  for (const port of [bare, documented]) {
    await page.goto(`http://127.0.0.1:${port}/docs`);
    const start = page.locator('.opblock', { has: page.locator('[data-path="/v1/watch/start"]') });
    await start.locator('.opblock-summary-control').click();
    await start.getByRole('button', { name: 'Try it out' }).click();
    await start.locator('textarea').first().fill(`{"session_name": "through ${port}"}`);
    await start.getByRole('button', { name: 'Execute' }).click();
    await until(
      'the session is started',
      async () => (await world.status()).active_session === `through ${port}`,
    );

    await page.goto(`http://127.0.0.1:${port}/admin/queues/queue/upload`);
    for (const word of ['Pause', 'Resume']) {
      await page.locator('main button[aria-haspopup="menu"]').click();
      await page.getByRole('menuitem', { name: word, exact: true }).click();
      await until(`${word} was heard`, async () => {
        const confirm = page.getByRole('button', { name: /^(confirm|yes|ok)/i });
        if (await confirm.isVisible()) await confirm.click();
        return (await paused()) === (word === 'Pause');
      });
    }
    const events = await fetch(`http://127.0.0.1:${port}/v1/events`);
    const first = await events.body!.getReader().read();
    assert.match(Buffer.from(first.value).toString(), /connected/, 'events are not held back');
  }
  await shot(page, 'board-behind-nginx');
  assert.deepEqual(complaints, []);

  // a page of another site, which has the browser send a form
  const other = createServer((_request, response) =>
    response
      .setHeader('Content-Type', 'text/html')
      .end(`<form method=post action="http://127.0.0.1:${bare}/v1/watch/stop"><button>Win</button></form>`),
  );
  await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
  t.after(() => other.close());
  await page.goto(`http://127.0.0.1:${(other.address() as AddressInfo).port}/`);
  await page.getByRole('button').click();
  await page.getByText('a write from another site is refused').waitFor();
  assert.equal((await world.status()).enabled, true);

  // over plain HTTP to another machine browsers send Origin alone
  const stop = (port: number) =>
    fetch(`http://127.0.0.1:${port}/v1/watch/stop`, {
      method: 'POST',
      headers: { origin: `http://127.0.0.1:${port}` },
    });
  const refused = await stop(bare);
  assert.equal(refused.status, 403);
  assert.match(await refused.text(), /let a proxy before the api pass Host on/);
  assert.equal((await stop(documented)).status, 200);
});
