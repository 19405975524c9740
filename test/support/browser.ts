import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import type { TestContext } from 'node:test';
import { chromium, type Page } from 'playwright-core';

const ARTIFACTS = resolve(process.cwd(), 'artifacts');

/** A page in Debian's Chromium that may reach this machine alone; what its console complains of is kept. */
export async function openPage(t: TestContext, token: string): Promise<{ page: Page; complaints: string[] }> {
  mkdirSync(ARTIFACTS, { recursive: true });
  const home = mkdtempSync(join(tmpdir(), 'sluice-chromium-'));
  const browser = await chromium.launch({
    executablePath: browserPath(),
    args: [
      '--no-sandbox',
      '--disable-dev-shm-usage',
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
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
  return { page, complaints };
}

/** The Chromium of this system; the set-up installs one where there is none. */
function browserPath(): string {
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

/** The complaints without those about a font that Bull Board asks Google for, which is only cosmetic. */
export function serious(complaints: readonly string[]): string[] {
  return complaints.filter((text) => !/fonts\.(googleapis|gstatic)\.com|ERR_NAME_NOT_RESOLVED/.test(text));
}
