import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import type { TestContext } from './test.js';

const ARTIFACTS = resolve(process.cwd(), 'artifacts');

/** A page, what its console complained of, and which hosts but this machine were asked for. */
export interface OpenPage {
  readonly page: Page;
  readonly complaints: string[];
  readonly elsewhere: string[];
}

/**
 * A page in Debian's Chromium that may reach this machine alone: every other host takes connections and never answers, so
 * that a page which needs one is not shown.
 */
export async function openPage(t: TestContext, token: string): Promise<OpenPage> {
  const elsewhere: string[] = [];
  const silent = await listenSilently(t);
  mkdirSync(ARTIFACTS, { recursive: true });
  const home = mkdtempSync(join(tmpdir(), 'sluice-chromium-'));
  const browser = await chromium.launch({
    executablePath: browserPath(),
    args: [
      '--no-sandbox',
      '--disable-dev-shm-usage',
      `--host-resolver-rules=MAP * 127.0.0.1:${silent}, EXCLUDE 127.0.0.1`,
    ],
    env: { PATH: process.env.PATH ?? '', HOME: home },
  });
  t.after(async () => {
    await browser.close();
    rmSync(home, { recursive: true, force: true });
  });
  const context = await browser.newContext({
    viewport: { width: 1400, height: 900 },
    httpCredentials: { username: 'me', password: token },
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  // of the page alone: Chromium looks for updates and the like by itself
  context.on('request', (request) => {
    const { hostname, protocol } = new URL(request.url());
    if (/^(?:https?|wss?):$/.test(protocol) && hostname !== '127.0.0.1') elsewhere.push(hostname);
  });
  return { page, complaints, elsewhere };
}

/** A server that takes connections and says nothing. @returns its port */
async function listenSilently(t: TestContext): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((done) => server.close(done));
  });
  return (server.address() as AddressInfo).port;
}

/** The Chromium of this system; the set-up installs one where there is none. */
export function browserPath(): string {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const found = ['chromium', 'chromium-browser', 'google-chrome']
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find(existsSync);
  if (found === undefined) throw new Error('no Chromium stands in PATH; scripts/setup.sh test installs it');
  return found;
}

/** Leaves a screenshot of what the page shows for people to look at. */
export async function shot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(ARTIFACTS, `${name}.png`) });
}
